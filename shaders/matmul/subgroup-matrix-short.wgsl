// y = A B^T on matrix units with few rows of A (up to TILE_M) and B an N x K matrix of weights as it is stored: decode steps of
// many samples, and prompts of a few tokens. Needs the subgroup-matrix tier. It is bound by reading B, so every weight is read
// once, 16 bytes at a time, and one launch does all: nothing is prepared.
//
// A workgroup computes TILE_N columns of y. Its subgroups share K: each goes along a stretch of its own, DEPTH at a time, through
// workgroup memory of its own, and at the end their sums are added in order. The loads of the next step are issued before the
// arithmetic of this one.
//
// Numbers are as in matmul/halves.wgsl, but that a subgroup finds the scale of A as it goes: it is a power of two by which all
// magnitudes so far stay below 2^15, and where a step holds a larger one, the sums are scaled down with it, which is exact.
// bf16 is multiplied by 2^6, which puts 1e-6 .. 1023 into the range where f16 holds it exactly; f16 is copied. What is beyond the
// range becomes its ends, NaN stays NaN.
#define COMPONENT "f16" | "f32" // what matrix units multiply
#define PARTS_A 1 | 2     // f16 numbers per element of A
#define SHAPE_M 8 | 16    // rows of a fragment of y
#define SHAPE_N 8 | 16    // its columns
#define SHAPE_K 8 | 16    // its depth
#define FRAGS_M 1..8      // fragments along M
#define FRAGS_N 1..4      // fragments along N
#define SUBGROUPS 1..8    // subgroups that share K
#define FETCHES_A 1..     // vec4s of A that an invocation stages per step
#define FETCHES_B 1..     // loads of B, likewise
#define SUBGROUP 1..128   // invocations per subgroup
#define FIXED_SIZE        // the subgroup size must be asked for
#define EVEN              // all stretches of K are whole steps
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
#include "common/weight.wgsl"
#include "matmul/epilogue.wgsl"

var<storage, read> a: array<vec4f>;
var<storage, read> b: array<Stored>;

#if COMPONENT == "f16"
alias Component = f16;
alias Four = vec4h;
#else
alias Component = f32;
alias Four = vec4f;
#endif
alias Left = subgroup_matrix_left<Component, ${SHAPE_K}, ${SHAPE_M}>;
alias Right = subgroup_matrix_right<Component, ${SHAPE_N}, ${SHAPE_K}>;
alias Result = subgroup_matrix_result<f32, ${SHAPE_N}, ${SHAPE_M}>;

const TILE_M = ${FRAGS_M * SHAPE_M}u;
const TILE_N = ${FRAGS_N * SHAPE_N}u;
const DEPTH = 32u;
const SUBGROUP = ${SUBGROUP}u;
const SUBGROUPS = ${SUBGROUPS}u;
const THREADS = SUBGROUP * SUBGROUPS;
const SLOT = ${SHAPE_M * SHAPE_N}u;
// Fours of a row, with 16 bytes against bank conflicts.
#if COMPONENT == "f16"
const FOURS_A = ${PARTS_A}u * DEPTH / 4u + 2u;
const FOURS_B = DEPTH / 4u + 2u;
#else
const FOURS_A = DEPTH / 4u + 1u;
const FOURS_B = DEPTH / 4u + 1u;
#endif
const EXPONENT_B = ${6 * (FORMAT == "bf16") * (COMPONENT == "f16")}u;

var<workgroup> tileA: array<Four, SUBGROUPS * TILE_M * FOURS_A>;
var<workgroup> tileB: array<Four, SUBGROUPS * TILE_N * FOURS_B>;
var<workgroup> slots: array<f32, SUBGROUPS * SLOT>;

// Vec4 `unit` of a step of A that starts at k0; zeros past the end.
fn fetchA(z: u32, unit: u32, k0: u32, end: u32) -> vec4f {
  let k = k0 + unit % (DEPTH / 4u) * 4u;
  let row = min(unit / (DEPTH / 4u), params.M - 1u);
#if EVEN
  return a[indexA(z, row, k) >> 2u];
#else
  return select(vec4f(), a[indexA(z, row, min(k, end - 4u)) >> 2u], k < end);
#endif
}

// Eight elements of a step of B that starts at k0, as they are stored; past the end whatever, since A has zeros there.
fn fetchB(z: u32, unit: u32, n0: u32, k0: u32, end: u32) -> Stored {
  let k = k0 + unit % (DEPTH / 8u) * 8u;
  let column = min(n0 + unit / (DEPTH / 8u), params.N - 1u);
#if EVEN
  return b[storedAt(indexB(z, k, column) / 8u)];
#else
  return b[storedAt(indexB(z, min(k, end - 8u), column) / 8u)];
#endif
}

#if COMPONENT == "f16"
const INFINITY = 0x7f800000u;

fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(INFINITY);
}

fn bounded(x: vec4f) -> vec4f {
  return clamp(x, vec4f(-65504.0), vec4f(65504.0));
}

// Bits of the largest magnitude, which order magnitudes as the numbers do.
fn magnitude(x: vec4f) -> u32 {
  let sizes = bitcast<vec4u>(x) & vec4u(0x7fffffffu);
  return max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
}

// The numbers that are finite, else 0.
fn finite(x: vec4f) -> vec4f {
  return select(x, vec4f(), (bitcast<vec4u>(x) & vec4u(INFINITY)) == vec4u(INFINITY));
}

// Infinities as the ends of what is held after multiplication by `up`, and a NaN that is one in its upper bits as well.
fn held(x: vec4f, up: f32) -> vec4f {
  let most = min(65504.0 / up, 3.4028234e38);
  let ends = select(vec4f(-most), vec4f(most), bitcast<vec4i>(x) >= vec4i());
  let infinite = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) == vec4u(INFINITY);
  return select(select(x, ends, infinite), bitcast<vec4f>(bitcast<vec4u>(x) | vec4u(0x00400000u)), isNan(x));
}
#endif

fn storeA(at: u32, x: vec4f) {
#if COMPONENT == "f32"
  tileA[at] = x;
#elif PARTS_A == 2
  // Cut by hand: compilers may take f32(f16(x)) for x.
  let upper = bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xffffe000u));
  tileA[at] = vec4h(upper);
  tileA[at + DEPTH / 4u] = vec4h(x - upper);
#else
  tileA[at] = vec4h(x);
#endif
}

fn storeB(at: u32, x: vec4f) {
#if COMPONENT == "f32" || FORMAT == "f16"
  tileB[at] = Four(x);
#else
  let scaled = f32(1u << EXPONENT_B) * x;
  tileB[at] = Four(select(bounded(scaled), scaled, isNan(scaled)));
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
  let n0 = group.x * TILE_N;
  let subgroup = thread / SUBGROUP;
  let lane = thread % SUBGROUP;
  let steps = (sizeK + DEPTH * SUBGROUPS - 1u) / (DEPTH * SUBGROUPS);
  let first = subgroup * steps * DEPTH;
  let ownA = subgroup * TILE_M * FOURS_A;
  let ownB = subgroup * TILE_N * FOURS_B;
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  var c${i}_${j} = Result(0.0);
#endfor
#endfor
#for q in 0..FETCHES_A
  var nextA${q} = fetchA(z, lane + ${q}u * SUBGROUP, first, sizeK);
#endfor
#for q in 0..FETCHES_B
  var nextB${q} = fetchB(z, lane + ${q}u * SUBGROUP, n0, first, sizeK);
#endfor
  // The exponent (as bits of an f32) of what A is multiplied by: at first the largest whose inverse is a normal number.
#if COMPONENT == "f16"
  var exponent = 240u;
#else
  let exponent = 127u;
#endif
  for (var step = 0u; step < steps; step++) {
#if COMPONENT == "f16"
    var own = 0u;
#for q in 0..FETCHES_A
    own = max(own, magnitude(nextA${q}));
#endfor
    var largest = subgroupMax(own);
    let odd = largest >= INFINITY;
    if (odd) {
      own = 0u;
#for q in 0..FETCHES_A
      own = max(own, magnitude(finite(nextA${q})));
#endfor
      largest = subgroupMax(own);
    }
    let fitting = clamp(268u - (largest >> 23u), 14u, 240u);
    if (fitting < exponent) {
      // At most 2^-113 at once, which is a normal number; what was scaled up by more than that is 0 beside this step.
      let down = bitcast<f32>((127u - min(exponent - fitting, 113u)) << 23u);
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
      c${i}_${j} = subgroupMatrixScalarMultiply(c${i}_${j}, down);
#endfor
#endfor
      exponent = fitting;
    }
    let up = bitcast<f32>(exponent << 23u);
    if (odd) {
#for q in 0..FETCHES_A
      nextA${q} = held(nextA${q}, up);
#endfor
    }
#else
    let up = 1.0;
#endif
    workgroupBarrier();
#for q in 0..FETCHES_A
    {
      let unit = lane + ${q}u * SUBGROUP;
#if FETCHES_A * SUBGROUP > FRAGS_M * SHAPE_M * 8
      if (unit < TILE_M * DEPTH / 4u)
#endif
      { storeA(ownA + unit / (DEPTH / 4u) * FOURS_A + unit % (DEPTH / 4u), up * nextA${q}); }
    }
#endfor
#for q in 0..FETCHES_B
    {
      let unit = lane + ${q}u * SUBGROUP;
#if FETCHES_B * SUBGROUP > FRAGS_N * SHAPE_N * 4
      if (unit < TILE_N * DEPTH / 8u)
#endif
      {
        let at = ownB + unit / (DEPTH / 8u) * FOURS_B + unit % (DEPTH / 8u) * 2u;
#if FORMAT == "f16" && COMPONENT == "f16"
        tileB[at] = bitcast<vec4h>(nextB${q}.xy);
        tileB[at + 1u] = bitcast<vec4h>(nextB${q}.zw);
#else
        let values = decode(nextB${q}, 0u);
        storeB(at, values[0]);
        storeB(at + 1u, values[1]);
#endif
      }
    }
#endfor
    workgroupBarrier();
    if (step + 1u < steps) {
      let k = first + (step + 1u) * DEPTH;
#for q in 0..FETCHES_A
      nextA${q} = fetchA(z, lane + ${q}u * SUBGROUP, k, sizeK);
#endfor
#for q in 0..FETCHES_B
      nextB${q} = fetchB(z, lane + ${q}u * SUBGROUP, n0, k, sizeK);
#endfor
    }
#for s in 0..32 / SHAPE_K
#for j in 0..FRAGS_N
    let right${s}_${j} = subgroupMatrixLoad<Right, col_major>(
      &tileB,
      ownB + ${j * SHAPE_N}u * FOURS_B + ${s * SHAPE_K / 4}u,
      FOURS_B,
    );
#endfor
#for i in 0..FRAGS_M
#for part in 0..PARTS_A
    let left${s}_${i}_${part} = subgroupMatrixLoad<Left, row_major>(
      &tileA,
      ownA + ${i * SHAPE_M}u * FOURS_A + ${part}u * DEPTH / 4u + ${s * SHAPE_K / 4}u,
      FOURS_A,
    );
#for j in 0..FRAGS_N
    c${i}_${j} = subgroupMatrixMultiplyAccumulate(left${s}_${i}_${part}, right${s}_${j}, c${i}_${j});
#endfor
#endfor
#endfor
#endfor
  }
  // The inverse of both scales.
  let down = bitcast<f32>((254u - EXPONENT_B - exponent) << 23u);
#for i in 0..FRAGS_M
#for j in 0..FRAGS_N
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&slots, subgroup * SLOT, subgroupMatrixScalarMultiply(c${i}_${j}, down), ${SHAPE_N}u);
  workgroupBarrier();
  for (var e = thread; e < SLOT; e += THREADS) {
    let m = ${i * SHAPE_M}u + e / ${SHAPE_N}u;
    let n = n0 + ${j * SHAPE_N}u + e % ${SHAPE_N}u;
    if (m < params.M && n < params.N) {
      var sum = slots[e];
#for s in 1..SUBGROUPS
      sum += slots[${s}u * SLOT + e];
#endfor
      emit(sum, indexC(z, m, n), n);
    }
  }
#endfor
#endfor
}
