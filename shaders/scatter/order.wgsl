// order = the positions 0..size-1 sorted by ids[position], equal ids in ascending position: a stable sort by rank.
// Every invocation counts how many ids come before its own. That is size^2 comparisons, but all lanes read the same id
// at a time (a scalar or broadcast load), there is nothing to synchronise, and size is a number of tokens: thousands.

struct Params { size: u32 }
#params Params

var<storage, read> ids: array<i32>;
var<storage, read_write> order: array<u32>;

#include "common/elements.wgsl"

fn element(at: u32) {
  let own = u32(ids[min(at, params.size - 1u)]);
  var rank = 0u;
  var other = 0u;
  while (other + 16u <= params.size) {
    #for i in 0..16
    {
      let value = u32(ids[other + ${i}u]);
      rank += select(0u, 1u, value < own || (value == own && other + ${i}u < at));
    }
    #endfor
    other += 16u;
  }
  while (other < params.size) {
    let value = u32(ids[other]);
    rank += select(0u, 1u, value < own || (value == own && other < at));
    other++;
  }
  if (at < params.size) { order[rank] = at; }
}
