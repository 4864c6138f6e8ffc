// Fills y with random numbers: a + b * u for u uniform in [0, 1), or with NORMAL a + b * z for z standard normal.
#define NORMAL // standard normal numbers, not uniform ones

struct Params { size: u32, first: u32, key0: u32, key1: u32, stream: u32, step: u32, a: f32, b: f32 }
#params Params

var<storage, read_write> y: array<Value>;

#include "elementwise/walk.wgsl"
#include "random/quad.wgsl"
#include "common/precise.wgsl"

#if NORMAL
// Box and Muller: two uniforms make two normals. 1 - u is in (0, 1], so that the logarithm is finite.
fn twoNormals(u: vec2f) -> vec2f {
  return sqrt(max(-2.0 * preciseLog(1.0 - u.x), 0.0)) * cosSinOfTurns(u.y);
}
#endif

fn quad(position: u32) -> vec4f {
  let u = unitFloats(quadWords(position));
#if NORMAL
  return params.a + params.b * vec4f(twoNormals(u.xy), twoNormals(u.zw));
#else
  return params.a + params.b * u;
#endif
}

fn element(at: u32) {
#if VEC4
  y[at] = quad(params.first / 4u + at);
#else
  let i = params.first + at;
  y[at] = quad(i / 4u)[i % 4u];
#endif
}
