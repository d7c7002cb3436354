"""Hard texts and predictions with NLTK's tokens: PUNKT_ENGLISH_JSON=…/punkt-1.0.5/src/data/english.json python make.py DIR"""
import json, os, sys
import numpy as np
import nltk.tokenize.punkt as punkt
from nltk.tokenize import NLTKWordTokenizer

out = sys.argv[1]
parameters = punkt.PunktParameters()
model = json.load(open(os.environ["PUNKT_ENGLISH_JSON"]))
parameters.abbrev_types = set(model["abbrev_types"])
parameters.collocations = {tuple(pair) for pair in model["collocations"]}
parameters.sent_starters = set(model["sentence_starters"])
parameters.ortho_context.update(model["ortho_context"])
splitter, tokenizer = punkt.PunktSentenceTokenizer(parameters), NLTKWordTokenizer()
rng = np.random.default_rng(7)
word_tokenize = lambda text: [word for sentence in splitter.tokenize(text) for word in tokenizer.tokenize(sentence)]
pick = lambda items: items[int(rng.integers(len(items)))]

WORDS = """The a of lake river Indeed however J. S. Bach U.S. U.S.A. Dr. Mr. Mrs. St. Inc. Co. Corp. No. vol. e.g. i.e. etc. p.m. a.m. Jan. Oct. Ph.D. cannot can't won't
they're I'm we've he'd she'll rock'n'roll 'tis 'Twas gonna Gimme wanna gotta lemme d'ye more'n CANNOT O'Neill l'homme 'em '90s dogs' James's NASA's 1,204.5 3.14 -5. .5 $3.50 5% 1990s 3rd
12:45 10-12 1/2 ½ x² A&B AT&T user@mail.org #tag @you http://a.b/c?d=e&f=g C++ C# f(x) [1] {2} <b> *bold* _it_ ``quoted'' "double" 'single' “curly” ‘curly’ «chevron» „low“ end... ... .. . ? ! ?! !!! ;
: , -- --- - – — ― ‒ … Ελλάδα ΣΟΦΟΣ. русский Москва. 東京。 日本語 한국어 हिन्दी है। বাংলা తెలుగు ไทย العربية؟ שלום İstanbul ısı ſhort straße É.T. naïve Ω. ① Ⅷ 10. X. I. II. 1. 2) (3) W.W. w.c. colo. Among Since""".split()
JOINTS = [" "] * 14 + ["", "", "  ", "\n", "\n\n", "\t", " \n ", "\r\n", "\u00a0", "\u3000", "\u200b", ". ", ".", "? ", "! ", ", ", "' ", " '", "\" ", " \"", ") ", " (", "'' ", " ``", "” ", " “", "--", ".) ", ".\" ", ".” ", "... ", "\x1c", "\u2028"]
CHARACTERS = list("aAbs19 ..,,:;'\"`()[]{}<>?!-–—*&$#@%/\n\té«»“”‘’„…日ि்　nNtTdDmM") + ["n't", "'s", "'ll", " '", "' ", ". ", " .", "Mr.", "--"]


def sentence(n): return "".join(pick(WORDS) + pick(JOINTS) for _ in range(n))


def noise(n): return "".join(pick(CHARACTERS) for _ in range(n))


texts = [sentence(int(rng.integers(1, 40))) for _ in range(700)] + [noise(int(rng.integers(1, 60))) for _ in range(700)]
texts += ["", " ", "\n", ".", "...", "'", "''", "'''", "\"", "``", "a.", "a.\n", "a:\n", "a.  ", "a. )", "Mr.", "1.", "a. b", "A. B. C.", ". . .", ". . . .", "a . . . B", "(He left.) She stayed.", "\"Go!\" he said. \"No.\" She went.",
          "cannot gimme wanna ", "wanna", "'Tis 'twas", "x'n'y", "'ve got", "don't.", "don't' ", "s' s's's ", "\u0130t's", "gİmme gımme", "a'\u093fb"]
cases = [{"text": t, "tokens": word_tokenize(t), "sentences": splitter.tokenize(t), "tokens_without_sentence_split": tokenizer.tokenize(t)} for t in texts]
json.dump({"nltk": __import__("nltk").__version__, "cases": cases}, open(f"{out}/cases.json", "w"), ensure_ascii=False, separators=(",", ":"))

# Predictions whose hits hang on tokenisation: answers are cut out of the joined tokens or of the raw text.
langs, gold, predictions = ["ar", "bn", "fi", "ja", "ko", "ru", "te"], [], []
for q in range(240):
    lang = langs[q % 7]
    passages = [sentence(int(rng.integers(20, 60))) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.6:
        while len(passages) < int(rng.integers(60, 200)): passages += [pick(passages)] * int(rng.integers(5, 20))
        passages.append(sentence(50))
    tokens = [token for text in passages for token in word_tokenize(text)]
    raw, kind, answers = " ".join(passages), int(rng.integers(6)), []
    start = int(rng.integers(max(1, len(tokens) - 3))) if rng.random() < 0.6 else max(0, len(tokens) - 30)
    if kind == 0: answers = [" ".join(tokens[start:start + int(rng.integers(1, 4))])]
    if kind == 1: answers = [raw[(s := int(rng.integers(max(1, len(raw) - 12)))):s + int(rng.integers(2, 14))]]
    if kind == 2: answers = [pick(["yes", "no"])] * int(rng.integers(1, 3))
    if kind == 3: answers = ["yes", pick(WORDS)]
    if kind == 4: answers = [pick(WORDS) + " " + pick(WORDS), pick(["", "Yes", "NO", "no answer"])]
    if kind == 5 and len(tokens) > 2000: answers = [" ".join(tokens[1998:2002])]
    gold.append({"id": f"m{q}", "question": f"question {q}", "answers": answers or [pick(WORDS)], "lang": lang})
    if q % 40 != 39: predictions.append({"id": f"m{q}", "lang": lang, "ctxs": passages})
predictions.append({"id": "stranger", "lang": "fi", "ctxs": ["x"]})


def evaluate(n):
    answers, counts, hits = {row["id"]: row["answers"] for row in gold}, {}, {}
    for row in predictions:
        if row["id"] not in answers: continue
        spans = [answer for answer in answers[row["id"]] if answer not in ("yes", "no")]
        if not spans: continue
        tokens = []
        for text in row["ctxs"]:
            tokens += word_tokenize(text)
            if len(tokens) >= n: break
        joined = " ".join(tokens[:n])
        hits[row["id"]] = any(span in joined for span in spans)
        count = counts.setdefault(row["lang"], [0, 0])
        count[0] += 1; count[1] += hits[row["id"]]
    per_language = {lang: {"count": n, "hit": hit, "percent": 100 * hit / n} for lang, (n, hit) in counts.items()}
    return {"per_language": per_language, "macro_percent": float(np.mean([row["percent"] for row in per_language.values()])), "hits": hits}


with open(f"{out}/xor_gold.jsonl", "w") as file: file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in gold)
json.dump(predictions, open(f"{out}/xor_predictions.json", "w"), ensure_ascii=False)
json.dump({"R@2kt": evaluate(2000), "R@5kt": evaluate(5000)}, open(f"{out}/xor_expected.json", "w"), indent=1)
