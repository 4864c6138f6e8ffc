// How tensors are filled with random numbers: four neighbouring elements share one Philox block, whose position is the
// index of the first of them divided by four. The same element gets the same number whatever the launch looks like.
// The including file's Params has key0, key1, stream, step, and `first`, where this window begins.
#include "random/philox.wgsl"

// Random words for elements 4 * position .. 4 * position + 3.
fn quadWords(position: u32) -> vec4u {
  return philox4x32(vec4u(position, 0u, params.step, params.stream), vec2u(params.key0, params.key1));
}

fn unitFloats(words: vec4u) -> vec4f {
  return vec4f(unitFloat(words.x), unitFloat(words.y), unitFloat(words.z), unitFloat(words.w));
}
