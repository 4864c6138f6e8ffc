// Rotary embedding, in the rotate-half convention of Qwen and Llama: elements j and j + D/2 of each head of
// x[T, H, D] form a pair that is rotated by the angle whose cosine and sine stand in cosines, sines [T, D/2]:
//   y[j] = x[j] * cos - direction * x[j + D/2] * sin,   y[j + D/2] = x[j + D/2] * cos + direction * x[j] * sin.
// direction is 1, or -1 for the gradient (a rotation's transpose is the rotation back).

// `half` is D/2 in Values, `width` the pairs of a token, heads * half; `size` counts pairs.
struct Params { size: u32, width: u32, half: u32, direction: f32 }
#params Params

var<storage, read> x: array<Value>;
var<storage, read> cosines: array<Value>;
var<storage, read> sines: array<Value>;
var<storage, read_write> y: array<Value>;

#include "elementwise/walk-rows.wgsl"

fn element(token: u32, pair: u32) {
  let j = pair % params.half;
  let angle = token * params.half + j;
  // The pairs before this head take twice their number of elements.
  let low = 2u * (token * params.width + pair - j) + j;
  let high = low + params.half;
  let c = cosines[angle];
  let s = params.direction * sines[angle];
  let a = x[low];
  let b = x[high];
  y[low] = a * c - b * s;
  y[high] = b * c + a * s;
}
