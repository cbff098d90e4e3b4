"""Stage 2b: the encoder to begin with: the multilingual teacher's layers and the kept rows of its word table."""
import argparse
import json

import torch

from encoder import from_bert
from teachers import multilingual_e5_small


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("teacher", "kept", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--layers", help="numbers of the layers, all of them unless given: 1,3,5,7,9,11")
    o = parser.parse_args()
    with open(o.kept) as f:
        kept = json.load(f)
    layers = [int(n) for n in o.layers.split(",")] if o.layers else None
    torch.save(from_bert(multilingual_e5_small(o.teacher)[0], kept, layers).state_dict(), o.out)


if __name__ == "__main__":
    main()
