"""Makes this folder with transformers 5.23 and torch 2.15 (float64): python make.py"""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import T5Config, T5ForConditionalGeneration

OUT = Path(__file__).parent
VOCAB, BATCH, LABELS, STEPS, BEAMS, PENALTY = 30, 4, 7, 12, 3, 0.6

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(4)
config = T5Config(
    vocab_size=VOCAB, d_model=16, d_kv=5, d_ff=20, num_layers=2, num_decoder_layers=2, num_heads=3,
    relative_attention_num_buckets=10, relative_attention_max_distance=17, dropout_rate=0.0, pad_token_id=0, eos_token_id=1,
    decoder_start_token_id=0,
)
model = T5ForConditionalGeneration(config).eval()
with torch.no_grad():
    for p in model.parameters():
        # Norms and biases off their first values.
        p.add_(0.05 * torch.randn_like(p))
    # Clear choices, and texts of which some end.
    model.decoder.final_layer_norm.weight.mul_(3.0)
    model.shared.weight[1].mul_(3.0)
model.save_pretrained(OUT / "model")
model = T5ForConditionalGeneration.from_pretrained(OUT / "model").eval().double()

lengths, ends = [30, 3, 17, 1], [7, 2, 5, 1]
ids, labels = torch.randint(2, VOCAB, (BATCH, max(lengths))), torch.randint(2, VOCAB, (BATCH, LABELS))
mask = torch.zeros_like(ids)
for i, (n, end) in enumerate(zip(lengths, ends, strict=True)):
    mask[i, :n], ids[i, n - 1], ids[i, n:] = 1, 1, 0
    labels[i, end - 1], labels[i, end:] = 1, -100
start = model._shift_right(labels)
out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=start)
loss = cross_entropy(out.logits.reshape(-1, VOCAB), labels.reshape(-1), ignore_index=-100)
loss.backward()
save_file(
    {
        "input_ids": ids, "attention_mask": mask, "labels": labels, "decoder_input_ids": start,
        "encoder_last_hidden_state": (out.encoder_last_hidden_state * mask[..., None]).float().contiguous(),
        "logits": out.logits.float().contiguous(),
        "loss_per_sequence": torch.stack([cross_entropy(out.logits[i], labels[i]) for i in range(BATCH)]).float(),
    },
    OUT / "golden.safetensors",
)
save_file({n: p.grad.float().contiguous() for n, p in model.named_parameters()}, OUT / "grads.safetensors")


def cut(row):
    row = row.tolist()
    return row[: row.index(1, 1) + 1] if 1 in row[1:] else row


options = {"input_ids": ids, "attention_mask": mask, "max_new_tokens": STEPS, "do_sample": False}
made = {"greedy": [cut(row) for row in model.generate(**options, num_beams=1)]}
for name, early in [("beam", False), ("beam_early_stopping", True)]:
    found = model.generate(
        **options, num_beams=BEAMS, num_return_sequences=BEAMS, early_stopping=early, length_penalty=PENALTY,
        output_scores=True, return_dict_in_generate=True,
    )
    rows = [
        {"ids": cut(row), "score": score} for row, score in zip(found.sequences, found.sequences_scores.tolist(), strict=True)
    ]
    made[name] = [rows[i * BEAMS : (i + 1) * BEAMS] for i in range(BATCH)]
settings = {"max_new_tokens": STEPS, "num_beams": BEAMS, "length_penalty": PENALTY}
(OUT / "expected.json").write_text(json.dumps({"loss": loss.item(), "generation": made, "settings": settings}) + "\n")
