// Sets, in seen[row] (one bit per token of the vocabulary), the bits of the tokens of a row: history for the repetition
// penalty. Ids outside the vocabulary (padding) are skipped. Or-ing integers gives the same bits in any order.

struct Params { rows: u32, perRow: u32, words: u32, vocab: u32 }
#params Params

var<storage, read> tokens: array<i32>;
var<storage, read_write> seen: array<atomic<u32>>;

#include "common/elements.wgsl"

fn element(at: u32) {
  if (at >= params.rows * params.perRow) { return; }
  let token = u32(tokens[at]);
  if (token >= params.vocab) { return; }
  atomicOr(&seen[(at / params.perRow) * params.words + (token >> 5u)], 1u << (token & 31u));
}
