// What the backward pass needs to know of each row: stats[t, h] = (log-sum-exp in base 2, sum of gradOut * out).
//
//   out, gradOut [T, H, D]; lse [T, H]; stats [T, H, 2]; D = 4 * D4. One invocation per row and head.
#define D4 1..64 // head dimension / 4

struct Params { rows: u32 }
#params Params

var<storage, read> out: array<vec4f>;
var<storage, read> gradOut: array<vec4f>;
var<storage, read> lse: array<f32>;
var<storage, read_write> stats: array<vec2f>;

const LOG2E = 1.4426950408889634;

#include "common/elements.wgsl"

fn element(row: u32) {
  if (row >= params.rows) { return; }
  var sum = 0.0;
#for c in 0..D4
  sum += dot(out[row * ${D4}u + ${c}u], gradOut[row * ${D4}u + ${c}u]);
#endfor
  stats[row] = vec2f(lse[row] * LOG2E, sum);
}
