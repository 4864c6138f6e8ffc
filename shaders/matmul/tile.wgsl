// Matrix product for GPUs of any tier: f32 arithmetic, workgroup-memory tiles.
//
// A workgroup computes TILE_M x TILE_N of y, DEPTH of K at a time. A thread computes PER x PER elements, as 4 x 4 blocks
// spread evenly over the tile, so that neighbouring threads read neighbouring vec4s of workgroup memory and a warp (8
// threads along N, 4 along M) reads each of them few times. Both operands are staged K-major, in vec4s along M and N:
// an operand that is contiguous along K is transposed in registers, 4 x 4 at a time, on the way. The global loads of the
// next step are issued before the arithmetic of this one and hide behind it.
//
// Rows and columns outside the matrices are clamped on loading and skipped on storing; K is padded with zeros.
#define TILE_M 32 | 64 | 128 // rows of y per workgroup
#define TILE_N 32 | 64 | 128 // columns of y per workgroup
#define DEPTH 16             // steps of K staged at a time
#define PER 4 | 8            // rows and columns per thread
#define FETCHES 1..          // 4 x 4 blocks that a thread stages per step
#include "matmul/epilogue.wgsl"
#include "matmul/operands.wgsl"

const TILE_M = ${TILE_M}u;
const TILE_N = ${TILE_N}u;
const DEPTH = ${DEPTH}u;
const THREADS_N = ${TILE_N / PER}u;
const THREADS = ${TILE_M / PER * (TILE_N / PER)}u;
// One vec4 of padding per row halves the bank conflicts of the transposed stores.
const ROW_A = ${TILE_M / 4 + 1}u;
const ROW_B = ${TILE_N / 4 + 1}u;
const BLOCKS_A = TILE_M * DEPTH / 16u;
const BLOCKS_B = TILE_N * DEPTH / 16u;

var<workgroup> tileA: array<vec4f, DEPTH * ROW_A>;
var<workgroup> tileB: array<vec4f, DEPTH * ROW_B>;

// A 4 x 4 block of A: column j holds four rows (from m on) at k + j.
fn blockA(z: u32, m: u32, k: u32, sizeK: u32) -> mat4x4f {
#if TRANSPOSE_A
  let row = min(m, params.M - 1u);
  let count = params.M - row;
  return mat4x4f(
#for j in 0..4
    select(vec4f(), fourA(indexA(z, row, min(k + ${j}u, sizeK - 1u)), count), k + ${j}u < sizeK),
#endfor
  );
#else
  let column = min(k, sizeK - 1u);
  return transpose(mat4x4f(
#for i in 0..4
    insideK(fourA(indexA(z, min(m + ${i}u, params.M - 1u), column), sizeK - column), k, sizeK),
#endfor
  ));
#endif
}

// A 4 x 4 block of B: column j holds four columns of B (from n on) at k + j.
fn blockB(z: u32, n: u32, k: u32, sizeK: u32) -> mat4x4f {
#if TRANSPOSE_B
  let column = min(k, sizeK - 1u);
  return transpose(mat4x4f(
#for i in 0..4
    insideK(fourB(indexB(z, column, min(n + ${i}u, params.N - 1u)), sizeK - column), k, sizeK),
#endfor
  ));
#else
  let first = min(n, params.N - 1u);
  let count = params.N - first;
  return mat4x4f(
#for j in 0..4
    select(vec4f(), fourB(indexB(z, min(k + ${j}u, sizeK - 1u), first), count), k + ${j}u < sizeK),
#endfor
  );
#endif
}

// Where block s lies in the tile of A: its first row and its first step of K. Threads advance along the contiguous axis.
fn placeA(s: u32) -> vec2u {
#if TRANSPOSE_A
  return vec2u(s % (TILE_M / 4u), s / (TILE_M / 4u)) * 4u;
#else
  return vec2u(s / (DEPTH / 4u), s % (DEPTH / 4u)) * 4u;
#endif
}

fn placeB(s: u32) -> vec2u {
#if TRANSPOSE_B
  return vec2u(s / (DEPTH / 4u), s % (DEPTH / 4u)) * 4u;
#else
  return vec2u(s % (TILE_N / 4u), s / (TILE_N / 4u)) * 4u;
#endif
}

// Block s of both tiles together: first those of A, then those of B.
fn fetch(z: u32, s: u32, origin: vec2u, k: u32, sizeK: u32) -> mat4x4f {
  if (s < BLOCKS_A) {
    let at = placeA(s);
    return blockA(z, origin.x + at.x, k + at.y, sizeK);
  }
  let at = placeB(s - BLOCKS_A);
  return blockB(z, origin.y + at.x, k + at.y, sizeK);
}

fn stage(s: u32, block: mat4x4f) {
  if (s < BLOCKS_A) {
    let at = placeA(s);
#for j in 0..4
    tileA[(at.y + ${j}u) * ROW_A + at.x / 4u] = block[${j}];
#endfor
  } else if (s < BLOCKS_A + BLOCKS_B) {
    let at = placeB(s - BLOCKS_A);
#for j in 0..4
    tileB[(at.y + ${j}u) * ROW_B + at.x / 4u] = block[${j}];
#endfor
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  prepareDecoder(thread);
  let z = group.z;
  let sizeK = depth(z);
  let origin = vec2u(group.y * TILE_M, group.x * TILE_N);
  let warp = thread / 32u;
  let threadN = thread % 8u + 8u * (warp % (THREADS_N / 8u));
  let threadM = (thread / 8u) % 4u + 4u * (warp / (THREADS_N / 8u));
#for i in 0..PER
#for h in 0..PER / 4
  var c${i}_${h} = vec4f();
#endfor
#endfor
#for q in 0..FETCHES
  var next${q} = fetch(z, thread + ${q}u * THREADS, origin, 0u, sizeK);
#endfor
  for (var k = 0u; k < sizeK; k += DEPTH) {
    workgroupBarrier();
#for q in 0..FETCHES
    stage(thread + ${q}u * THREADS, next${q});
#endfor
    workgroupBarrier();
    if (k + DEPTH < sizeK) {
#for q in 0..FETCHES
      next${q} = fetch(z, thread + ${q}u * THREADS, origin, k + DEPTH, sizeK);
#endfor
    }
    for (var step = 0u; step < DEPTH; step++) {
#for h in 0..PER / 4
      let a${h} = tileA[step * ROW_A + threadM + ${h * (TILE_M / PER)}u];
      let b${h} = tileB[step * ROW_B + threadN + ${h * (TILE_N / PER)}u];
#endfor
#for i in 0..PER
#for h in 0..PER / 4
      c${i}_${h} = fma(vec4f(a${i / 4}[${i % 4}]), b${h}, c${i}_${h});
#endfor
#endfor
    }
  }
#for i in 0..PER
  {
    let m = origin.x + ${i / 4 * (TILE_M / PER) * 4 + i % 4}u + threadM * 4u;
    if (m < params.M) {
#for h in 0..PER / 4
#for j in 0..4
      {
        let n = origin.y + ${h * (TILE_N / PER) * 4 + j}u + threadN * 4u;
        if (n < params.N) { emit(c${i}_${h}[${j}], indexC(z, m, n), n); }
      }
#endfor
#endfor
    }
  }
#endfor
}
