#!/bin/sh
# Lexicon-enhanced self-supervised training (docs/methods/self_supervised.md) on the bundled data, in minutes: English labels alone make a first model, which then
# finds and writes its own pairs in Arabic, German, Spanish and Chinese. There are no unlabelled questions among the data, so the first sentence of a paragraph stands
# for one and the rest of it for the passage, as in an inverse cloze task; every fifth paragraph is kept out as a development set. XQuAD-R, which nothing
# here has seen, judges the first model and the last. From the root of the repository, with zstd and awk:
#   sh runs/self_supervised.sh
# ISOGLOSS names the program, isogloss if it is not set. Killed and started again it goes on where it was.
set -eu
isogloss=${ISOGLOSS:-isogloss}
out=runs/out/self_train

for lang in ar de es zh; do
    [ -e "$out/data/$lang/dev/qrels.txt" ] && continue
    mkdir -p "$out/data/$lang/dev"
    zstd -dc data/train/parallel.tsv.zst | awk -F '\t' -v lang="$lang" -v to="$out/data/$lang" '
        $2 == lang && match($4, /[.!?] |؟ |。|？|！/) {
            question = substr($4, 1, RSTART + RLENGTH - 1)
            passage = substr($4, RSTART + RLENGTH)
            if (length(question) < 20 || length(passage) < 40 || seen[passage]++) next
            folder = ++n % 5 ? to : to "/dev"
            id = lang "-" n
            print id "\t" passage > (folder "/corpus.tsv")
            print id "\t" question > (folder "/queries.tsv")
            print id " 0 " id " 1" > (folder "/qrels.txt")
        }'
done

[ -e "$out/tokenizer" ] || "$isogloss" tokenizer train data/train/parallel.tsv.zst data/train/english --vocab-size 16000 --limit-sentences 20000 --out "$out/tokenizer"
"$isogloss" train runs/self_supervised_start.toml --resume
"$isogloss" self-train runs/self_supervised.toml

for one in start loop; do
    echo "$out/$one/model on XQuAD-R"
    "$isogloss" search --model "$out/$one/model" --corpus data/eval/xquad_r --queries data/eval/xquad_r --out "$out/$one.trec"
    "$isogloss" evaluate data/eval/xquad_r "$out/$one.trec" nDCG@10 --by-lang --queries data/eval/xquad_r
done
