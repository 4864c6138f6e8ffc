// What a decode step does between the projections of a layer and its attention, in one launch: rotates queries and keys as
// rotary/apply.wgsl does, and writes keys and values into the cache, as cache-append.wgsl does.
//
//   joined [N, heads + 2 * kvHeads, D] f32: queries, keys and values of each token; D = 8 * half.
//   cosines, sines [N, D/2]; slots u32 [N]; turned [N, heads, D]; kCache, vCache [capacity, kvHeads, D].
//
// Slots that are past the end mean that the row is not kept. One invocation takes four elements of the lower half of a head
// and the four that they form pairs with.
#include "common/encode.wgsl"

struct Params { rows: u32, heads: u32, kvHeads: u32, half: u32, capacity: u32 }
#params Params

var<storage, read> joined: array<vec4f>;
var<storage, read> cosines: array<vec4f>;
var<storage, read> sines: array<vec4f>;
var<storage, read> slots: array<u32>;
var<storage, read_write> turned: array<vec4f>;
var<storage, read_write> kCache: array<FourStored>;
var<storage, read_write> vCache: array<FourStored>;

#include "common/elements.wgsl"

fn element(at: u32) {
  let half = params.half;
  let all = params.heads + 2u * params.kvHeads;
  let row = at / (all * half);
  if (row >= params.rows) { return; }
  let head = at / half % all;
  let j = at % half;
  let source = (row * all + head) * 2u * half + j;
  let low = joined[source];
  let high = joined[source + half];
  let c = cosines[row * half + j];
  let s = sines[row * half + j];
  let lowTurned = low * c - high * s;
  let highTurned = high * c + low * s;
  if (head < params.heads) {
    let to = (row * params.heads + head) * 2u * half + j;
    turned[to] = lowTurned;
    turned[to + half] = highTurned;
    return;
  }
  let slot = slots[row];
  if (slot >= params.capacity) { return; }
  let key = head - params.heads;
  if (key < params.kvHeads) {
    let to = (slot * params.kvHeads + key) * 2u * half + j;
    kCache[to] = encodeFour(lowTurned);
    kCache[to + half] = encodeFour(highTurned);
  } else {
    let to = (slot * params.kvHeads + key - params.kvHeads) * 2u * half + j;
    vCache[to] = encodeFour(low);
    vCache[to + half] = encodeFour(high);
  }
}
