// Matrix product on matrix units (tensor cores): f16 operands, f32 sums. Needs the subgroup-matrix tier.
//
// A workgroup computes TILE_M x TILE_N of y. Its subgroups form a GRID_M x GRID_N grid, and each owns FRAGS_M x FRAGS_N
// fragments of M x N elements, a shape that the adapter reported for f16 operands and f32 results. Both operands are
// staged as f16 in workgroup memory, DEPTH of K at a time, in the order in which they lie in memory: a fragment load can
// read either order. Rows are padded by 8 elements against bank conflicts. The loads of the next step are issued before
// the arithmetic of this one.
//
// f16's range is small: gradients lie below it and a few activations above. So A is multiplied by a power of two on the way
// in, and sums by its inverse on the way out, such that the largest magnitude in A (the largest of `magnitudes`, see
// matmul/magnitude.wgsl) comes to lie in [2^14, 2^15). What is 2^39 times smaller becomes 0. bf16 weights are multiplied by
// 2^6, which puts 1e-6 .. 1023 into the range where f16 holds them exactly (some units drop the numbers below it); f16
// weights are copied as they are. Infinities and what is beyond the range become its ends (they would poison whole rows),
// NaN stays NaN.
//
// PRECISE: every element of A is the sum of two f16 numbers, its upper 11 bits and the next 11, each multiplied by B: twice
// the arithmetic, 1.4 to 1.5 times the cycles by the compilers for RDNA3 and Ampere. Relative L2 error of y for random
// operands, B in f16 or bf16, on units that round sums to f32 as llvmpipe does (some GPUs cut the last bit instead):
//               K = 64   K = 1536   K = 8960
//   PRECISE     1.2e-7     3.7e-7     8.6e-7   below that of f32 products one by one (1.7e-6 at K = 8960): forward passes,
//                                              whose log-probabilities sampler and trainer share
//   otherwise   2.1e-4     2.2e-4     2.1e-4   A rounded to 11 bits: gradients of activations; 3e-4 with f32 B, rounded too
//
// Fragments cannot be indexed, so results pass through a slot of workgroup memory per subgroup; with PLAIN (no epilogue,
// rows of y that start at 16 bytes as matrix units want them) tiles that lie inside y are stored directly.
#define SHAPE_M 8 | 16  // rows of a fragment of y
#define SHAPE_N 8 | 16  // its columns
#define SHAPE_K 8 | 16  // its depth
#define GRID_M 1..8     // subgroups along M
#define GRID_N 1..8     // subgroups along N
#define FRAGS_M 1..8    // fragments of a subgroup along M
#define FRAGS_N 1..8    // fragments of a subgroup along N
#define DEPTH 16 | 32   // steps of K staged at a time
#define SUBGROUP 1..128 // invocations per subgroup
#define FIXED_SIZE      // the subgroup size must be asked for
#define UNITS_A 1..     // vec4s of A that an invocation stages per step
#define UNITS_B 1..     // likewise of B
#define PLAIN           // no epilogue, and rows of y start at 16 bytes
#define PRECISE         // A in two parts
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
#if FIXED_SIZE
enable subgroup_size_control;
#endif
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
#include "matmul/epilogue.wgsl"
#include "matmul/operands.wgsl"

var<storage, read> magnitudes: array<u32>;

alias Left = subgroup_matrix_left<f16, ${SHAPE_K}, ${SHAPE_M}>;
alias Right = subgroup_matrix_right<f16, ${SHAPE_N}, ${SHAPE_K}>;
alias Result = subgroup_matrix_result<f32, ${SHAPE_N}, ${SHAPE_M}>;

const TILE_M = ${GRID_M * FRAGS_M * SHAPE_M}u;
const TILE_N = ${GRID_N * FRAGS_N * SHAPE_N}u;
const DEPTH = ${DEPTH}u;
const SUBGROUP = ${SUBGROUP}u;
const THREADS = ${GRID_M * GRID_N * SUBGROUP}u;
#if TRANSPOSE_A
const ROW_A = TILE_M + 8u;
const ROWS_A = DEPTH;
#else
const ROW_A = DEPTH + 8u;
const ROWS_A = TILE_M;
#endif
#if TRANSPOSE_B
const ROW_B = DEPTH + 8u;
const ROWS_B = TILE_N;
#else
const ROW_B = TILE_N + 8u;
const ROWS_B = DEPTH;
#endif
const SLOT = ${SHAPE_M * SHAPE_N}u;

#if FORMAT == "bf16"
const EXPONENT_B = 6u;
#else
const EXPONENT_B = 0u;
#endif
const SCALE_B = f32(1u << EXPONENT_B);

// Elements of one part of A; with PRECISE the upper bits stand before the lower ones.
const PART_A = ROWS_A * ROW_A;

// Staged as vec4s, so that a thread stores four values at once; offsets and strides of fragment loads then count vec4s.
var<workgroup> tileA: array<vec4h, ${1 + PRECISE} * PART_A / 4u>;
var<workgroup> tileB: array<vec4h, ROWS_B * ROW_B / 4u>;
var<workgroup> slots: array<f32, ${GRID_M * GRID_N} * SLOT>;
var<workgroup> largest: atomic<u32>;

// The power of two that brings the largest magnitude in A to [2^14, 2^15), as the bits of its exponent; within bounds in
// which its inverse is a normal number too.
fn exponentOfScale(thread: u32) -> u32 {
  var own = 0u;
  for (var i = thread; i < arrayLength(&magnitudes); i += THREADS) { own = max(own, magnitudes[i]); }
  atomicMax(&largest, own);
  workgroupBarrier();
  return clamp(268u - (atomicLoad(&largest) >> 23u), 14u, 240u);
}

fn bounded(x: vec4f) -> vec4f {
  return clamp(x, vec4f(-65504.0), vec4f(65504.0));
}

fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn toHalf(x: vec4f) -> vec4h {
  return vec4h(select(bounded(x), x, isNan(x)));
}

fn storeA(at: u32, x: vec4f) {
#if PRECISE
  // Cut by hand: compilers may take f32(f16(x)) for x.
  let whole = bounded(x);
  let upper = bitcast<vec4f>(bitcast<vec4u>(whole) & vec4u(0xffffe000u));
  tileA[at] = vec4h(select(upper, x, isNan(x)));
  tileA[PART_A / 4u + at] = vec4h(whole - upper);
#else
  tileA[at] = toHalf(x);
#endif
}

// Four elements of B on their way: as stored where that is f16 already, else widened.
#if FORMAT == "f16" && WIDTH == 4
alias FourB = vec2u;
fn fetchFourB(at: u32, count: u32, inside: bool) -> FourB {
  return select(vec2u(), b[at >> 2u], inside);
}
fn halfB(raw: FourB) -> vec4h {
  return bitcast<vec4h>(raw);
}
#else
alias FourB = vec4f;
fn fetchFourB(at: u32, count: u32, inside: bool) -> FourB {
  return select(vec4f(), fourB(at, count), inside);
}
fn halfB(raw: FourB) -> vec4h {
  return toHalf(SCALE_B * raw);
}
#endif

// Staging unit s: four neighbours in memory. Its row and first column within the tile.
fn unitA(s: u32) -> vec2u {
  return vec2u(s / ((ROW_A - 8u) / 4u), s % ((ROW_A - 8u) / 4u) * 4u);
}

fn unitB(s: u32) -> vec2u {
  return vec2u(s / ((ROW_B - 8u) / 4u), s % ((ROW_B - 8u) / 4u) * 4u);
}

fn fetchA(z: u32, s: u32, m0: u32, k0: u32, sizeK: u32) -> vec4f {
  let at = unitA(s);
#if TRANSPOSE_A
  let k = k0 + at.x;
  let m = min(m0 + at.y, params.M - 1u);
  return select(vec4f(), fourA(indexA(z, m, min(k, sizeK - 1u)), params.M - m), k < sizeK);
#else
  let k = min(k0 + at.y, sizeK - 1u);
  return insideK(fourA(indexA(z, min(m0 + at.x, params.M - 1u), k), sizeK - k), k0 + at.y, sizeK);
#endif
}

fn fetchB(z: u32, s: u32, n0: u32, k0: u32, sizeK: u32) -> FourB {
  let at = unitB(s);
#if TRANSPOSE_B
  let k = min(k0 + at.y, sizeK - 1u);
  let place = indexB(z, k, min(n0 + at.x, params.N - 1u));
#if FORMAT == "f16" && WIDTH == 4
  // Aligned rows need not end at a multiple of four.
  let whole = fetchFourB(place, 4u, k0 + at.y < sizeK);
  return vec2u(
    select(whole.x & select(0xffffu, 0xffffffffu, k0 + at.y + 1u < sizeK), 0u, k0 + at.y >= sizeK),
    select(whole.y & select(0xffffu, 0xffffffffu, k0 + at.y + 3u < sizeK), 0u, k0 + at.y + 2u >= sizeK),
  );
#else
  return insideK(fetchFourB(place, sizeK - k, true), k0 + at.y, sizeK);
#endif
#else
  let n = min(n0 + at.y, params.N - 1u);
  let k = k0 + at.x;
  return fetchFourB(indexB(z, min(k, sizeK - 1u), n), params.N - n, k < sizeK);
#endif
}

#if FIXED_SIZE
@compute @workgroup_size(THREADS) @subgroup_size(SUBGROUP)
#else
@compute @workgroup_size(THREADS)
#endif
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let z = group.z;
  let sizeK = depth(z);
  let exponent = exponentOfScale(thread);
  let up = bitcast<f32>(exponent << 23u);
  let down = bitcast<f32>((254u - exponent - EXPONENT_B) << 23u);
  let m0 = group.y * TILE_M;
  let n0 = group.x * TILE_N;
  let subgroup = thread / SUBGROUP;
  let fragM = subgroup / ${GRID_N}u * ${FRAGS_M * SHAPE_M}u;
  let fragN = subgroup % ${GRID_N}u * ${FRAGS_N * SHAPE_N}u;
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  var c${i}_${j} = Result(0.0);
#endfor
#endfor
#for q in 0..UNITS_A
  var nextA${q} = fetchA(z, thread + ${q}u * THREADS, m0, 0u, sizeK);
#endfor
#for q in 0..UNITS_B
  var nextB${q} = fetchB(z, thread + ${q}u * THREADS, n0, 0u, sizeK);
#endfor
  for (var k = 0u; k < sizeK; k += DEPTH) {
    workgroupBarrier();
#for q in 0..UNITS_A
    {
      let at = unitA(thread + ${q}u * THREADS);
      if (at.x < ROWS_A) { storeA((at.x * ROW_A + at.y) / 4u, up * nextA${q}); }
    }
#endfor
#for q in 0..UNITS_B
    {
      let at = unitB(thread + ${q}u * THREADS);
      if (at.x < ROWS_B) { tileB[(at.x * ROW_B + at.y) / 4u] = halfB(nextB${q}); }
    }
#endfor
    workgroupBarrier();
    if (k + DEPTH < sizeK) {
#for q in 0..UNITS_A
      nextA${q} = fetchA(z, thread + ${q}u * THREADS, m0, k + DEPTH, sizeK);
#endfor
#for q in 0..UNITS_B
      nextB${q} = fetchB(z, thread + ${q}u * THREADS, n0, k + DEPTH, sizeK);
#endfor
    }
#for step in 0..DEPTH / SHAPE_K
#for j in 0..FRAGS_N
#if TRANSPOSE_B
    let atB${step}_${j} = (fragN + ${j * SHAPE_N}u) * ROW_B + ${step * SHAPE_K}u;
    let right${step}_${j} = subgroupMatrixLoad<Right, col_major>(&tileB, atB${step}_${j} / 4u, ROW_B / 4u);
#else
    let atB${step}_${j} = ${step * SHAPE_K}u * ROW_B + fragN + ${j * SHAPE_N}u;
    let right${step}_${j} = subgroupMatrixLoad<Right, row_major>(&tileB, atB${step}_${j} / 4u, ROW_B / 4u);
#endif
#endfor
#for i in 0..FRAGS_M
#for part in 0..1 + PRECISE
#if TRANSPOSE_A
    let atA${step}_${i}_${part} = ${part}u * PART_A + ${step * SHAPE_K}u * ROW_A + fragM + ${i * SHAPE_M}u;
    let left${step}_${i}_${part} = subgroupMatrixLoad<Left, col_major>(&tileA, atA${step}_${i}_${part} / 4u, ROW_A / 4u);
#else
    let atA${step}_${i}_${part} = ${part}u * PART_A + (fragM + ${i * SHAPE_M}u) * ROW_A + ${step * SHAPE_K}u;
    let left${step}_${i}_${part} = subgroupMatrixLoad<Left, row_major>(&tileA, atA${step}_${i}_${part} / 4u, ROW_A / 4u);
#endif
#for j in 0..FRAGS_N
    c${i}_${j} = subgroupMatrixMultiplyAccumulate(left${step}_${i}_${part}, right${step}_${j}, c${i}_${j});
#endfor
#endfor
#endfor
#endfor
  }
#if PLAIN
  if (m0 + TILE_M <= params.M && n0 + TILE_N <= params.N) {
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
    let to${i}_${j} = indexC(z, m0 + fragM + ${i * SHAPE_M}u, n0 + fragN + ${j * SHAPE_N}u);
    subgroupMatrixStore<row_major>(&y, to${i}_${j}, subgroupMatrixScalarMultiply(c${i}_${j}, down), params.ldc);
#endfor
#endfor
    return;
  }
#endif
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&slots, subgroup * SLOT, c${i}_${j}, ${SHAPE_N}u);
  workgroupBarrier();
  for (var e = thread % SUBGROUP; e < SLOT; e += SUBGROUP) {
    let m = m0 + fragM + ${i * SHAPE_M}u + e / ${SHAPE_N}u;
    let n = n0 + fragN + ${j * SHAPE_N}u + e % ${SHAPE_N}u;
    if (m < params.M && n < params.N) { emit(down * slots[subgroup * SLOT + e], indexC(z, m, n), n); }
  }
#endfor
#endfor
}
