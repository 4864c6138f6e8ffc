// What both matrix-backward-*.wgsl kernels share beyond matrix.wgsl: scores and their gradients from packed operands.
//
// Scores decide weights and are products of two parts each, as in forward. So are the gradients of weights, of which what all
// keys of a row have in common is taken off again. All other products take one part. Gradients of
// scores are scaled such that the largest that there can be fits f16: products over D of numbers below 2^15 are below
// DP * 2^30, so 2^SHIFT = 2 DP * 2^15 takes them, less what the row's delta is, below 2^16.
#define SHIFT 20..24 // 16 + the logarithm of DP, rounded up
#include "attention/matrix.wgsl"

struct Params {
  heads: u32, kvHeads: u32, causal: u32, scale: f32, padded: u32, tiles: u32, firstKvHead: u32, tokens: u32,
}
#params Params

// q and gradOut [H, 2, TP, DP], k and v [Hkv, 2, TP, DP].
var<storage, read> q: array<vec4h>;
var<storage, read> k: array<vec4h>;
var<storage, read> v: array<vec4h>;
var<storage, read> gradOut: array<vec4h>;
var<storage, read> stats: array<vec2f>;
var<storage, read> largest: array<u32>;

const SHRINK = 1.0 / f32(1u << ${SHIFT}u);

var<workgroup> scores: array<vec4f, OWN * ROW_S>;
var<workgroup> gradients: array<vec4f, OWN * ROW_S>;

fn upscaled(bits: u32) -> f32 {
  return bitcast<f32>(clamp(268u - (bits >> 23u), 14u, 240u) << 23u);
}
