// y = y + x in place, y in STORED and x in f32: gradients that are kept in 16 bits while micro-batches add to them.
// Works on pairs of elements (`size` counts them); the number of elements may be odd.
#include "common/encode.wgsl"
#include "common/weight.wgsl"

struct Params { size: u32, elements: u32 }
#params Params

var<storage, read> x: array<f32>;
var<storage, read_write> y: array<u32>;

#include "elementwise/walk.wgsl"

fn element(pair: u32) {
  let second = min(2u * pair + 1u, params.elements - 1u);
  y[pair] = encodePair(decodePair(y[pair]) + vec2f(x[2u * pair], x[second]));
}
