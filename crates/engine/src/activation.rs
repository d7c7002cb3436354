//! Functions that a linear map applies to its outputs.

/// A function applied to every output of [`crate::op::linear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// None.
    Identity,
    /// Gaussian error linear unit, the exact one (beside products in less than f32 within 6e-6).
    Gelu,
    /// Gaussian error linear unit by the tanh approximation.
    GeluTanh,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
}
