//! The kernels' side of operations: what [`crate::op`] calls where an input is on a GPU. Each function says in its first line what it computes;
//! the contract is that of the operation.

mod attention;
mod batch_norm;
mod cross_entropy;
mod elementwise;
mod embedding;
mod layer_norm;
mod linear;
mod normalize;
mod optimizer;
mod pool;
mod projected_cross_entropy;
mod reduce;
mod rms_norm;
mod rotary;
mod rows;

pub(crate) use attention::{Biases, WIDEST_HEAD, attend};
pub(crate) use batch_norm::{batch_norm, column_statistics};
pub(crate) use cross_entropy::{cross_entropy, divergence};
pub(crate) use elementwise::{
    add_to, converted, dropout, geglu, geglu_backward, relu, relu_backward, rounded, scaled, sum, widened,
};
pub(crate) use embedding::{bag, embedding, gather_columns, gather_rows};
pub(crate) use layer_norm::layer_norm;
pub(crate) use linear::linear;
pub(crate) use normalize::{dot_rows, l2_normalize};
pub(crate) use optimizer::{Clip, Update, adamw, clip};
pub(crate) use pool::pool;
pub(crate) use projected_cross_entropy::projected_cross_entropy;
pub(crate) use reduce::{log_cosh, mean, squared_error};
pub(crate) use rms_norm::rms_norm;
pub(crate) use rotary::rotate;
pub(crate) use rows::concat_rows;

/// Puts the kernel `file::name` on the stream.
macro_rules! launch {
    ($gpu:expr, $file:ident::$name:ident, $geometry:expr, $($argument:expr),+ $(,)?) => {
        launch!($gpu, $file::$name, $geometry; &[$($crate::cuda::Argument::from($argument)),+])
    };
    ($gpu:expr, $file:ident::$name:ident, $geometry:expr; $arguments:expr) => {{
        static KERNEL: $crate::cuda::module::Kernel =
            $crate::cuda::module::Kernel::new(&$crate::cuda::module::source::$file, stringify!($name));
        $gpu.launch(&KERNEL, $geometry, $arguments)
    }};
}
use launch;
