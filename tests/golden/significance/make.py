"""Paired tests, Holm's correction and detectable differences as scipy computes them: python make.py > expected.json"""
import itertools, json
import numpy as np, scipy
from scipy import stats

rng = np.random.default_rng(20240607)
size = lambda n, values: [float(v) for v in np.round(values, 4)][:n]
SETS = {
    "two": [0.1, 0.4],
    "three of one sign": [0.25, 0.5, 0.125],
    "five with zeros": [0.0, -0.2, 0.0, 0.3, 0.1],
    "ties": [0.1, -0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.0, 0.2, -0.2],
    "sum near zero": [0.1, 0.2, 0.3, -0.6, 0.05],
    "tiny": [1e-9, 3e-9, -2e-9, 4e-9, 1e-9, 2e-9],
    "far from zero": size(12, 0.8 + 0.001 * rng.standard_normal(12)),
    "thirty": size(30, 0.05 + 0.2 * rng.standard_normal(30)),
    "hundreds": size(300, 0.01 + 0.2 * rng.standard_normal(300) * (rng.random(300) < 0.4)),
    "thousand": size(1000, 0.004 * rng.standard_normal(1000) + 0.0003),
}


def pair(d):
    d = np.array(d)
    test = stats.ttest_rel(d, np.zeros_like(d))
    out = {"differences": d.tolist(), "t": float(test.statistic), "df": len(d) - 1, "t_test_p": float(test.pvalue),
           "effect_size": float(d.mean() / d.std(ddof=1)),
           "detectable_difference": float((stats.t.ppf(0.975, len(d) - 1) + stats.t.ppf(0.8, len(d) - 1)) * d.std(ddof=1) / np.sqrt(len(d)))}
    if len(d) <= 12:
        exact = stats.permutation_test((d, np.zeros_like(d)), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples",
                                       alternative="two-sided", n_resamples=np.inf, vectorized=True)
        out["randomisation_p"] = float(exact.pvalue)
    else:
        draws = 200_000 if len(d) <= 300 else 50_000
        count = 0
        for _ in range(0, draws, 10_000):
            count += int((np.abs((rng.integers(0, 2, (10_000, len(d))) * 2 - 1) @ d) >= abs(d.sum()) - 1e-12).sum())
        out["randomisation_p_sampled"] = count / draws
    return out


def holm_by_closed_testing(p):
    sets = [s for n in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), n)]
    return [max(min(1.0, len(s) * min(p[i] for i in s)) for s in sets if k in s) for k in range(len(p))]


ps = [[0.01, 0.04, 0.03, 0.005, 0.04, 0.9], [0.5], [1.0, 1.0, 0.0], [float(x) for x in np.round(rng.random(9) ** 4, 6)]]
student = [[t, df, float(2 * stats.t.sf(t, df))] for t in (0.0, 1e-6, 0.1, 0.9, 1.96, 3.3, 8.0, 45.0) for df in (1, 2, 3, 7, 22, 100, 999, 6619, 250_000)]
quantiles = [[q, df, float(stats.t.ppf(q, df))] for q in (0.01, 0.5, 0.8, 0.975, 0.9995) for df in (1, 2, 5, 30, 1000, 100_000)]
print(json.dumps({"versions": {"scipy": scipy.__version__, "numpy": np.__version__}, "pairs": {k: pair(v) for k, v in SETS.items()},
                  "holm": [{"p": p, "adjusted": holm_by_closed_testing(p)} for p in ps], "student_two_sided": student, "student_quantile": quantiles}, indent=1))
