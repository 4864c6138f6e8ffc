// Matrix product on matrix units (tensor cores). Needs the subgroup-matrix tier.
//
// Both operands come as matmul/halves.wgsl describes, with elements along K side by side: written by one of the launches that
// prepare, or as they are stored where that is the same. So the main loop only copies and multiplies: conversions would
// be done again for every tile, and fragments that lie across memory are loaded one element at a time by some GPUs (RDNA3).
//
// A workgroup computes TILE_M x TILE_N of y. Its subgroups form a GRID_M x GRID_N grid, and each owns FRAGS_M x FRAGS_N
// fragments of M x N elements, a shape that the adapter reported. DEPTH of K at a time is staged in workgroup memory, whose rows
// are padded by 16 bytes against bank conflicts. The loads of the next step are issued before the arithmetic of this one.
// Workgroups go down bands of eight tiles, so that those that run together share what they read of both operands.
//
// f16 operands, f32 sums: PARTS_A and PARTS_B say how many f16 numbers make up an element, and all products of parts are
// added but the one of both lower ones. Relative L2 error of y for random operands on units that round sums to f32 as
// llvmpipe does (some GPUs cut the last bit instead):
//                                K = 64   K = 1536   K = 8960
//   A 2, B in f16 or bf16       1.2e-7     3.7e-7     8.6e-7   below that of f32 products one by one (1.7e-6 at K = 8960)
//   A 2, B 2                    1.2e-7     3.7e-7     8.6e-7   f32 operands, with 22 bits of each
//   A 1, B in f16 or bf16       2.1e-4     2.2e-4     2.1e-4   A rounded to 11 bits: gradients
//   A 1, B 1                    2.9e-4     3.0e-4     3.0e-4   both rounded
// COMPONENT "f32": f32 operands, one part, for units that add up f16 products in f16 (Apple): as exact as f32 anywhere.
//
// Fragments cannot be indexed, so results pass through a slot of workgroup memory per subgroup.
#define COMPONENT "f16" | "f32" // what matrix units multiply
#define PARTS_A 1 | 2   // f16 numbers per element of A
#define PARTS_B 1 | 2   // likewise of B
#define SCALES_A        // rows of A were multiplied by a power of two; `scalesA` has the inverses
#define SCALES_B        // likewise of B
#define SHAPE_M 8 | 16  // rows of a fragment of y
#define SHAPE_N 8 | 16  // its columns
#define SHAPE_K 8 | 16  // its depth
#define GRID_M 1..8     // subgroups along M
#define GRID_N 1..8     // subgroups along N
#define FRAGS_M 1..8    // fragments of a subgroup along M
#define FRAGS_N 1..8    // fragments of a subgroup along N
#define FETCHES_A 1..   // units of A that an invocation stages per step
#define FETCHES_B 1..   // likewise of B
#define SUBGROUP 1..128 // invocations per subgroup
#define FIXED_SIZE      // the subgroup size must be asked for
#if COMPONENT == "f16"
enable f16;
#endif
enable subgroups;
enable chromium_experimental_subgroup_matrix;
#if FIXED_SIZE
enable subgroup_size_control;
#endif
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
#include "matmul/epilogue.wgsl"

var<storage, read> a: array<vec4u>;
var<storage, read> b: array<vec4u>;
#if SCALES_A
var<storage, read> scalesA: array<f32>;
#endif
#if SCALES_B
var<storage, read> scalesB: array<f32>;
#endif

#if COMPONENT == "f16"
alias Component = f16;
alias Four = vec4h;
const UNIT = 8u;
const DEPTH = ${32}u;
#else
alias Component = f32;
alias Four = vec4f;
const UNIT = 4u;
const DEPTH = ${16}u;
#endif
alias Left = subgroup_matrix_left<Component, ${SHAPE_K}, ${SHAPE_M}>;
alias Right = subgroup_matrix_right<Component, ${SHAPE_N}, ${SHAPE_K}>;
alias Result = subgroup_matrix_result<f32, ${SHAPE_N}, ${SHAPE_M}>;

const TILE_M = ${GRID_M * FRAGS_M * SHAPE_M}u;
const TILE_N = ${GRID_N * FRAGS_N * SHAPE_N}u;
const THREADS = ${GRID_M * GRID_N * SUBGROUP}u;
const SUBGROUP = ${SUBGROUP}u;
const SLOT = ${SHAPE_M * SHAPE_N}u;
const BAND = 8u;
// Units of a row of a tile; with padding, fours of one.
const UNITS_A = ${4 * PARTS_A}u;
const UNITS_B = ${4 * PARTS_B}u;
const FOURS_A = (UNITS_A + 1u) * UNIT / 4u;
const FOURS_B = (UNITS_B + 1u) * UNIT / 4u;

// In fours, as wide as matrices may be declared; offsets and strides of fragment loads then count fours.
var<workgroup> tileA: array<Four, TILE_M * FOURS_A>;
var<workgroup> tileB: array<Four, TILE_N * FOURS_B>;
var<workgroup> slots: array<f32, ${GRID_M * GRID_N} * SLOT>;

// The tile of a workgroup: down a band of BAND rows of tiles, then one to the right.
fn tileOf(group: vec2u, groups: vec2u) -> vec2u {
  let linear = group.y * groups.x + group.x;
  let first = linear / (BAND * groups.x) * BAND;
  let within = linear % (BAND * groups.x);
  let rows = min(BAND, groups.y - first);
  return vec2u(within / rows, first + within % rows);
}

#if FIXED_SIZE
@compute @workgroup_size(THREADS) @subgroup_size(SUBGROUP)
#else
@compute @workgroup_size(THREADS)
#endif
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let z = group.z;
  let steps = depth(z) / DEPTH;
  let tile = tileOf(group.xy, groups.xy);
  let m0 = tile.y * TILE_M;
  let n0 = tile.x * TILE_N;
  let subgroup = thread / SUBGROUP;
  let fragM = subgroup / ${GRID_N}u * ${FRAGS_M * SHAPE_M}u;
  let fragN = subgroup % ${GRID_N}u * ${FRAGS_N * SHAPE_N}u;
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  var c${i}_${j} = Result(0.0);
#endfor
#endfor
  // Each invocation stages the same units of every step. Rows past the end are copies of the last one.
#for q in 0..FETCHES_A
  let placeA${q} = thread + ${q}u * THREADS;
  let toA${q} = placeA${q} / UNITS_A * FOURS_A + placeA${q} % UNITS_A * UNIT / 4u;
  var atA${q} = indexA(z, min(m0 + placeA${q} / UNITS_A, params.M - 1u), 0u) / UNIT + placeA${q} % UNITS_A;
  var nextA${q} = a[atA${q}];
#endfor
#for q in 0..FETCHES_B
  let placeB${q} = thread + ${q}u * THREADS;
  let toB${q} = placeB${q} / UNITS_B * FOURS_B + placeB${q} % UNITS_B * UNIT / 4u;
  var atB${q} = indexB(z, 0u, min(n0 + placeB${q} / UNITS_B, params.N - 1u)) / UNIT + placeB${q} % UNITS_B;
  var nextB${q} = b[atB${q}];
#endfor
  let fromA = fragM * FOURS_A;
  let fromB = fragN * FOURS_B;
  for (var step = 0u; step < steps; step++) {
    workgroupBarrier();
#for q in 0..FETCHES_A
#if FETCHES_A * GRID_M * GRID_N * SUBGROUP > GRID_M * FRAGS_M * SHAPE_M * 4 * PARTS_A
    if (placeA${q} < TILE_M * UNITS_A)
#endif
    {
#if COMPONENT == "f16"
      tileA[toA${q}] = bitcast<vec4h>(nextA${q}.xy);
      tileA[toA${q} + 1u] = bitcast<vec4h>(nextA${q}.zw);
#else
      tileA[toA${q}] = bitcast<vec4f>(nextA${q});
#endif
    }
#endfor
#for q in 0..FETCHES_B
#if FETCHES_B * GRID_M * GRID_N * SUBGROUP > GRID_N * FRAGS_N * SHAPE_N * 4 * PARTS_B
    if (placeB${q} < TILE_N * UNITS_B)
#endif
    {
#if COMPONENT == "f16"
      tileB[toB${q}] = bitcast<vec4h>(nextB${q}.xy);
      tileB[toB${q} + 1u] = bitcast<vec4h>(nextB${q}.zw);
#else
      tileB[toB${q}] = bitcast<vec4f>(nextB${q});
#endif
    }
#endfor
    workgroupBarrier();
    if (step + 1u < steps) {
#for q in 0..FETCHES_A
      atA${q} += UNITS_A;
      nextA${q} = a[atA${q}];
#endfor
#for q in 0..FETCHES_B
      atB${q} += UNITS_B;
      nextB${q} = b[atB${q}];
#endfor
    }
#for s in 0..(16 + 16 * (COMPONENT == "f16")) / SHAPE_K
#for j in 0..FRAGS_N
#for part in 0..PARTS_B
    let right${s}_${j}_${part} = subgroupMatrixLoad<Right, col_major>(
      &tileB,
      fromB + ${j * SHAPE_N}u * FOURS_B + ${part}u * DEPTH / 4u + ${s * SHAPE_K / 4}u,
      FOURS_B,
    );
#endfor
#endfor
#for i in 0..FRAGS_M
#for part in 0..PARTS_A
    let left${s}_${i}_${part} = subgroupMatrixLoad<Left, row_major>(
      &tileA,
      fromA + ${i * SHAPE_M}u * FOURS_A + ${part}u * DEPTH / 4u + ${s * SHAPE_K / 4}u,
      FOURS_A,
    );
#for j in 0..FRAGS_N
#for other in 0..PARTS_B
#if part + other < 2
    c${i}_${j} = subgroupMatrixMultiplyAccumulate(left${s}_${i}_${part}, right${s}_${j}_${other}, c${i}_${j});
#endif
#endfor
#endfor
#endfor
#endfor
#endfor
  }
  // Slabs of K share their rows, and so do products with one operand for all.
#if SPLIT
  let rowsA = 0u;
  let rowsB = 0u;
#else
  let rowsA = select(z * params.M, 0u, params.strideA == 0u);
  let rowsB = select(z * params.N, 0u, params.strideB == 0u);
#endif
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&slots, subgroup * SLOT, c${i}_${j}, ${SHAPE_N}u);
  workgroupBarrier();
  for (var e = thread % SUBGROUP; e < SLOT; e += SUBGROUP) {
    let m = m0 + fragM + ${i * SHAPE_M}u + e / ${SHAPE_N}u;
    let n = n0 + fragN + ${j * SHAPE_N}u + e % ${SHAPE_N}u;
    if (m < params.M && n < params.N) {
      let sum = slots[subgroup * SLOT + e];
#if SCALES_A && SCALES_B
      // The smaller first: the other may be beyond what a product with it can hold.
      let scales = vec2f(scalesA[rowsA + m], scalesB[rowsB + n]);
      let scaled = sum * min(scales.x, scales.y) * max(scales.x, scales.y);
#elif SCALES_A
      let scaled = sum * scalesA[rowsA + m];
#elif SCALES_B
      let scaled = sum * scalesB[rowsB + n];
#else
      let scaled = sum;
#endif
      emit(scaled, indexC(z, m, n), n);
    }
  }
#endfor
#endfor
}
