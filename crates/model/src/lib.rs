//! Models of Isogloss: token ids, encoders, pooling, and the folder in which they live on disk.
#![deny(unsafe_op_in_unsafe_fn)]

mod bert;
mod bi_encoder;
mod config;
mod error;
mod folder;
mod hub;
mod layers;
mod masked_lm_head;
mod modern_bert;
mod mt5;
mod pooling;
mod seq2seq;
mod static_embedding;
mod tokenizer_train;
mod tokens;
mod weights;

pub use bert::Bert;
pub use bi_encoder::{BiEncoder, Overrides};
pub use config::{
    Activation, ArchitectureConfig, BertConfig, BertFamily, FeedForward, LayerAttention, ModernBertConfig, Mt5Config,
    Mt5Family, Positions, StaticConfig,
};
pub use error::{Error, Result};
pub use folder::{CALIBRATION_FILE, DenseActivation, DenseLayer, FolderLayout, read_calibration, write_calibration};
pub use hub::resolve;
pub use masked_lm_head::MaskedLmHead;
pub use modern_bert::ModernBert;
pub use mt5::Mt5;
pub use pooling::Pooling;
pub use seq2seq::{Beams, GenerateOptions, Generated, GeneratedText, Sampling, Search, Seq2Seq, fill_prompt};
pub use static_embedding::StaticEmbedding;
pub use tokenizer_train::{TokenizerOptions, train_tokenizer};
pub use tokens::{SpecialTokens, TokenIds, Tokenizer};
pub use weights::{Checkpoint, read_metadata, write_safetensors};
