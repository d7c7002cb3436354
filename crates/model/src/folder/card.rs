//! The `README.md` of a model's folder.

use super::FolderLayout;

/// A model card: what a hub needs in front, how to use the model, and `manifest`, the run that made it.
pub(super) fn card(name: &str, layout: &FolderLayout, manifest: &str) -> String {
    let length = layout.max_tokens.map_or("unbounded".to_owned(), |n| format!("{n} tokens"));
    let mut card = format!(
        "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n\
         tags:\n- sentence-transformers\n- feature-extraction\n- multilingual\n- isogloss\n---\n\n\
         # {name}\n\nA dense encoder of text, trained with Isogloss.\n\n\
         | | |\n|---|---|\n| vectors | {} numbers{} |\n| texts | {length} |\n| pooling | {} |\n",
        layout.dim(),
        if layout.normalize { ", of length 1" } else { "" },
        layout.pooling,
    );
    for (name, prompt) in &layout.prompts {
        card.push_str(&format!("| prompt `{name}` | `{}` |\n", prompt.replace('\n', "\\n").replace('|', "\\|")));
    }
    card.push_str(
        "\n```python\nfrom sentence_transformers import SentenceTransformer\n\n\
         model = SentenceTransformer(\"path/to/this/folder\")\n\
         queries = model.encode_query([\"a question\"])\n\
         docs = model.encode_document([\"a passage\"])\n\
         print(model.similarity(queries, docs))\n```\n",
    );
    if !manifest.trim().is_empty() {
        card.push_str(&format!("\n## How it was made\n\n```toml\n{}\n```\n", manifest.trim_end()));
    }
    card
}
