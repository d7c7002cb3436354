#!/usr/bin/env python3
"""Prints the tables of the experiments on the methods, as they stand in docs/LOG.md, of the arms and seeds that runs/evidence/experiments.py has finished."""

import functools
import json
import statistics
import subprocess

from experiments import DATA, HELD_OUT, ISOGLOSS, OUT, SEEDS

ASKED = ["bem", "fon", "ha", "ig", "rw", "tw", "zu"]


def told(*arguments):
    return json.loads(
        subprocess.run([ISOGLOSS, *map(str, arguments), "--json"], check=True, capture_output=True).stdout
    )


def folder(arm, seed, name):
    return OUT / arm / (str(seed) if arm != "before" else "") / name


def seeds(arm, name):
    return [seed for seed in (SEEDS if arm != "before" else (1,)) if (folder(arm, seed, name) / "result.json").exists()]


@functools.cache
def means(arm, seed, name, view=0):
    """The means of each language, by measure."""
    result = json.loads((folder(arm, seed, name) / "result.json").read_text())
    return {lang: figures["mean"] for lang, figures in result["views"][view]["by_lang"].items()}


def percent(values):
    if not values:
        return "–"
    spread = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.2f}{spread}"


def plain(values):
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def over(arm, name, measure, keep=lambda lang: True):
    """Mean over languages of a measure, a value a seed."""
    return [
        statistics.fmean(mean[measure] for lang, mean in means(arm, seed, name).items() if keep(lang))
        for seed in seeds(arm, name)
    ]


def bias(arm):
    """Bias ratio and rank gap in the merged pool, a value a seed."""
    pool = DATA / "xquad_r"
    found = [
        told(
            "bias",
            folder(arm, seed, "xquad_r") / "runs" / "run.trec",
            "--qrels",
            pool,
            "--queries",
            pool,
            "--corpus",
            pool,
        )
        for seed in seeds(arm, "xquad_r")
    ]
    gap = [statistics.fmean(of["rank_gap_same_vs_other"] for of in one["by_query_lang"].values()) for one in found]
    return [one["bias_ratio"] for one in found], gap


def tested(base, arm, name, measure, other=None):
    """Languages that the arm is better and worse in, by seed, after Holm's correction; one string."""
    out = []
    for seed in seeds(arm, other or name):
        if seed not in seeds(base, name) and base != "before":
            continue
        found = told("compare", folder(base, seed, name), folder(arm, seed, other or name), "--measure", measure)[
            "comparisons"
        ][0]
        by_lang = {lang: one for lang, one in found["by_lang"].items() if one["holm"]["randomisation_test"] < 0.05}
        up = sorted(lang for lang, one in by_lang.items() if one["difference"] > 0)
        down = sorted(lang for lang, one in by_lang.items() if one["difference"] < 0)
        out.append(f"+{len(up)} −{len(down)}" + (f" ({' '.join(down)})" if down else ""))
    return "; ".join(out) or "–"


def last(arm, term):
    """The mean of a term over the last five times it was logged, a value a seed."""
    values = []
    for seed in SEEDS:
        log = OUT / arm / str(seed) / "log.jsonl"
        if log.exists() and seeds(arm, "tatoeba").count(seed):
            seen = [
                row["terms"][term]
                for row in map(json.loads, log.read_text().splitlines())
                if term in row.get("terms", {})
            ]
            values += [statistics.fmean(seen[-5:])] if seen else []
    return values


def sheet(title, head, rows):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def paired(lang):
    return lang not in HELD_OUT


def la_mir():
    rows = []
    for arm in ["before", "english", "pairs_1k", "pairs_10k", "pairs", "language"]:
        base = "pairs" if arm == "language" else "english"
        ratio, gap = bias(arm)
        rows.append(
            [
                arm,
                str(len(seeds(arm, "tatoeba"))),
                percent(over(arm, "tatoeba", "A@1", paired)),
                percent(over(arm, "tatoeba", "A@1", lambda lang: not paired(lang))),
            ]
            + [percent(over(arm, "xquad_r", "nDCG@10")), plain(ratio), plain(gap)]
            + ["–" if arm in ("before", "english") else f"{base}: {tested(base, arm, 'tatoeba', 'A@1')}"]
        )
    head = [
        "arm",
        "seeds",
        "Tatoeba, paired",
        "Tatoeba, held out",
        "XQuAD-R nDCG@10",
        "bias ratio",
        "rank gap",
        "Tatoeba languages better, worse than",
    ]
    sheet("LA-MIR", head, rows)


def by_lang(title, arms, name, measure):
    langs = sorted({lang for arm in arms for seed in seeds(arm, name) for lang in means(arm, seed, name)})
    rows = [
        [arm, *(percent([means(arm, seed, name)[lang][measure] for seed in seeds(arm, name)]) for lang in langs)]
        for arm in arms
    ]
    sheet(title, ["arm", *langs], rows)


def clear():
    rows = []
    for arm in ["pairs", "infonce_en", "infonce", "clear"]:
        asked = over(arm, "afriqa", "nDCG@10", lambda lang: lang in ASKED)
        english = over(arm, "afriqa", "nDCG@10", lambda lang: lang == "en")
        back = [percent(over(arm, "ntrex", measure)) for measure in ("A@1(en-xx)", "A@1(xx-en)")]
        rows.append(
            [
                arm,
                str(len(seeds(arm, "afriqa"))),
                percent(asked),
                percent(english),
                *back,
                "–" if arm == "pairs" else tested("pairs", arm, "afriqa", "nDCG@10"),
                tested("infonce", arm, "afriqa", "nDCG@10") if arm == "clear" else "–",
            ]
        )
    sheet(
        "CLEAR",
        [
            "arm",
            "seeds",
            "AfriQA x → en",
            "AfriQA en → en",
            "NTREX en → x",
            "NTREX x → en",
            "against pairs",
            "against infonce",
        ],
        rows,
    )
    by_lang(
        "AfriQA nDCG@10 by the question's language", ["pairs", "infonce_en", "infonce", "clear"], "afriqa", "nDCG@10"
    )


def ccp():
    rows = []
    for arm in ["before", "continued", "ccp", "ccp_both", "ccp_mixed", "ccp_no_bank"]:
        base = "ccp" if arm.startswith("ccp_") else "before"
        rows.append(
            [
                arm,
                str(len(seeds(arm, "tatoeba"))),
                percent(over(arm, "tatoeba", "A@1")),
                percent(over(arm, "tatoeba_calibrated", "A@1")),
            ]
            + [plain(last(arm, term)) for term in ("leak", "language_probe")]
            + ["–" if arm == "before" else f"{base}: {tested(base, arm, 'tatoeba', 'A@1')}"]
            + ["–" if arm == "before" else f"{base}: {tested(base, arm, 'tatoeba_calibrated', 'A@1')}"]
        )
    sheet(
        "CCP",
        [
            "arm",
            "seeds",
            "Tatoeba",
            "calibrated",
            "leak",
            "language probe",
            "languages better, worse than",
            "calibrated, than",
        ],
        rows,
    )
    by_lang("Tatoeba A@1 after calibration", ["before", "ccp"], "tatoeba_calibrated", "A@1")


def distill():
    arms = ["before", "pairs", "distill", "distill_mse"]
    rows = [
        [
            arm,
            str(len(seeds(arm, "tatoeba"))),
            percent(over(arm, "tatoeba", "A@1", paired)),
            percent(over(arm, "tatoeba", "A@1", lambda lang: not paired(lang))),
            percent(over(arm, "xquad_r", "nDCG@10")),
        ]
        for arm in arms
    ]
    sheet("Distillation", ["arm", "seeds", "Tatoeba, paired", "Tatoeba, held out", "XQuAD-R nDCG@10"], rows)
    by_lang("Tatoeba A@1", arms, "tatoeba", "A@1")
    by_lang("XQuAD-R nDCG@10", arms, "xquad_r", "nDCG@10")


def main():
    la_mir()
    clear()
    ccp()
    distill()


if __name__ == "__main__":
    main()
