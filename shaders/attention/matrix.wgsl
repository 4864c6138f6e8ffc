// What the matrix-*.wgsl kernels share: attention's products on matrix units, f16 operands and f32 sums.
//
// A workgroup is four subgroups. It owns OWN rows (queries, or keys in the backward pass of keys) and meets SEEN rows of the
// other side at a time. Scores pass through workgroup memory, as elements of fragments cannot be told apart: subgroup
// (i, j) of 2 x 2 computes its OWN / 2 x SEEN / 2 of them, and of results its OWN / 2 rows and DC / 2 columns.
// Operands come from attention/pack.wgsl in rows of DP numbers, straight from memory: a fragment is loaded in whole runs of it. Fragments that are
// products over tokens begin at a multiple of 8 tokens, so blocks of seen rows do, and masks hide what lies before.
// TEAM neighbouring invocations share the scores of an own row.
#define SHAPE_M 8 | 16 // rows of a fragment of a result
#define SHAPE_N 8 | 16 // its columns
#define SHAPE_K 8 | 16 // its depth
#define SUBGROUP 1..128 // invocations per subgroup
#define FIXED_SIZE      // the subgroup size must be asked for
#define D4 1..64        // head dimension / 4
#define DP 16..256      // head dimension in packed rows
#define DC 16..256      // head dimension in packed columns
#define OWN 16..64      // rows that a workgroup owns
#define SEEN 16..64     // rows that it meets at a time
#define TEAM 1..16      // invocations per own row
#include "attention/window.wgsl"
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
#if FIXED_SIZE
enable subgroup_size_control;
#endif
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);

alias Left = subgroup_matrix_left<f16, ${SHAPE_K}, ${SHAPE_M}>;
alias Right = subgroup_matrix_right<f16, ${SHAPE_N}, ${SHAPE_K}>;
alias Result = subgroup_matrix_result<f32, ${SHAPE_N}, ${SHAPE_M}>;

const OWN = ${OWN}u;
const SEEN = ${SEEN}u;
const SUBGROUP = ${SUBGROUP}u;
const THREADS = ${4 * SUBGROUP}u;
const D4 = ${D4}u;
// Rows of scores, in vec4s, and of weights, in vec4s of f16: padded against bank conflicts.
const ROW_S = ${SEEN / 4 + 1}u;
const ROW_P = ${SEEN / 4 + 2}u;
const LOG2E = 1.4426950408889634;
const LN2 = 0.6931471805599453;

// Undoes the scale of a packed tensor.
fn unscaled(bits: u32) -> f32 {
  return bitcast<f32>((254u - clamp(268u - (bits >> 23u), 14u, 240u)) << 23u);
}

fn upperBits(x: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xffffe000u));
}
