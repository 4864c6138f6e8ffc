// Writes new key and value rows into a KV cache, in its format.
//
//   k, v [N, width] f32; slots u32 [N]; kCache, vCache [capacity, width], width = 4 * fours.
//
// Row n goes to slot slots[n]; a slot past the end (4294967295 by convention) means that the row is not kept. Two rows must
// not name the same slot. One invocation copies four elements of k and of v.
#include "common/encode.wgsl"

struct Params { rows: u32, fours: u32, capacity: u32 }
#params Params

var<storage, read> k: array<vec4f>;
var<storage, read> v: array<vec4f>;
var<storage, read> slots: array<u32>;
var<storage, read_write> kCache: array<FourStored>;
var<storage, read_write> vCache: array<FourStored>;

#include "common/elements.wgsl"

fn element(at: u32) {
  if (at >= params.rows * params.fours) { return; }
  let slot = slots[at / params.fours];
  if (slot >= params.capacity) { return; }
  let to = slot * params.fours + at % params.fours;
  kCache[to] = encodeFour(k[at]);
  vCache[to] = encodeFour(v[at]);
}
