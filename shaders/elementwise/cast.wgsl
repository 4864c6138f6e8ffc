// Converts from FORMAT to STORED. Works on pairs of elements (`size` counts them), so that a 16-bit destination is
// written a whole u32 at a time; the number of elements may be odd.
#include "common/encode.wgsl"
#include "common/weight.wgsl"

struct Params { size: u32, elements: u32 }
#params Params

var<storage, read> x: array<Stored>;
#if STORED == "f32"
var<storage, read_write> y: array<f32>;
#else
var<storage, read_write> y: array<u32>;
#endif

#include "elementwise/walk.wgsl"

fn load(pair: u32) -> vec2f {
#if FORMAT == "nf4" || FORMAT == "int4"
  let word = x[storedAt(2u * pair)];
  return vec2f(decode(word, 2u * pair), decode(word, 2u * pair + 1u));
#elif FORMAT == "f32"
  let second = min(2u * pair + 1u, params.elements - 1u);
  return vec2f(x[2u * pair], x[second]);
#else
  return decodePair(x[pair]);
#endif
}

fn element(pair: u32) {
  let values = load(pair);
#if STORED == "f32"
  y[2u * pair] = values.x;
  if (2u * pair + 1u < params.elements) { y[2u * pair + 1u] = values.y; }
#else
  y[pair] = encodePair(values);
#endif
}
