//! Distillation: a student's embeddings or scores after a teacher's, which are constants.

use isogloss_engine::Tensor;
use isogloss_engine::op::{self, Activation};

use super::{Loss, Similarity};

/// `mean (s − t)²` over all elements (Reimers and Gurevych 2020).
///
/// # Shapes
/// `student`, `teacher`: `[B, D]`.
///
/// # Panics
/// If the shapes differ or there is no element.
pub fn embedding_mse(student: &Tensor, teacher: &Tensor) -> Loss {
    Loss::of("embedding_mse", op::mean_squared_error(student, &teacher.detach()))
}

/// `mean_i (1 − cos(s_i, t_i))`.
///
/// # Shapes
/// `student`, `teacher`: `[B, D]`.
///
/// # Panics
/// If the shapes differ or there is no row.
pub fn embedding_cosine(student: &Tensor, teacher: &Tensor) -> Loss {
    assert_eq!(student.shape(), teacher.shape(), "embedding_cosine: student and teacher");
    let cosines = op::dot_rows(&op::l2_normalize(student), &op::l2_normalize(&teacher.detach()));
    Loss::of("embedding_cosine", op::add(&Tensor::scalar(1.0), &op::scale(&op::mean(&cosines), -1.0)))
}

/// Scores of every query with its own candidates: `s_ij = similarity(q_i, c_{i·C + j})`.
///
/// # Shapes
/// `queries: [B, D]`, `candidates: [B·C, D]` → `[B, C]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn own_scores(queries: &Tensor, candidates: &Tensor, similarity: Similarity) -> Tensor {
    op::dot_rows(&similarity.prepare(queries), &similarity.prepare(candidates))
}

/// `mean_ik [ (s_i0 − s_ik) − (t_i0 − t_ik) ]²` (Hofstätter et al. 2020); column 0 is the positive.
///
/// # Shapes
/// `student`, `teacher`: scores `[B, 1+K]`.
///
/// # Panics
/// If the shapes differ or there is no negative.
pub fn margin_mse(student: &Tensor, teacher: &Tensor) -> Loss {
    let (_, columns) = student.matrix();
    let mut differences = vec![0.0; columns.saturating_sub(1) * columns];
    for (k, row) in differences.chunks_exact_mut(columns).enumerate() {
        row[0] = 1.0;
        row[k + 1] = -1.0;
    }
    let differences = Tensor::new(differences, &[columns.saturating_sub(1), columns]);
    let margins = |scores: &Tensor| op::linear(scores, &differences, None, Activation::Identity);
    Loss::of("margin_mse", op::mean_squared_error(&margins(student), &margins(&teacher.detach())))
}

/// `mean_i KL(softmax(t_i/T) ‖ softmax(s_i/T))` (Hinton et al. 2015), times T² if `squared`, which keeps the gradient's size when T changes.
///
/// # Shapes
/// `student`, `teacher`: scores `[B, C]`.
///
/// # Panics
/// If the shapes differ or there is no element.
pub fn score_kl(student: &Tensor, teacher: &Tensor, temperature: f32, squared: bool) -> Loss {
    let soften = |scores: &Tensor| op::scale(scores, 1.0 / temperature);
    let divergence = op::softmax_divergence(&soften(&teacher.detach()), &soften(student));
    let factor = if squared { temperature * temperature } else { 1.0 };
    Loss::of("score_kl", op::scale(&divergence, factor))
}
