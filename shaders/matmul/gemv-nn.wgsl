// y = A B with few rows of A (ROWS, 1 to 16) and B a K x N matrix as it is stored. Bound by reading B, so every
// element is read once and used for all rows of A.
//
// A workgroup has LANES lanes along N, times SLICES slices of K that take turns; the slices are added up through workgroup
// memory at the end. A lane has GROUPS groups of WIDTH neighbouring columns (4 where rows of B are aligned), LANES * WIDTH
// apart. GPUs use many slices and one group, so that loads are coalesced and many are in flight. Software adapters use one
// slice (no barriers) and many groups: a long run of each row of B, which suits
// their caches; with 16 groups, one step of K at a time reads twice as fast as four steps with 4 groups.
#define ROWS 1..16    // rows of A, of which some may lie past the end
#define LANES 16 | 32 // lanes along N
#define SLICES 1..8   // slices of K
#define GROUPS 1..16  // groups of columns per lane
#define UNROLL 1..4   // steps of K per turn of the loop
#include "matmul/epilogue.wgsl"
#include "common/weight.wgsl"

var<storage, read> a: array<f32>;
var<storage, read> b: array<Stored>;

const LANES = ${LANES}u;
const SLICES = ${SLICES}u;

#if SLICES > 1
var<workgroup> parts: array<Loaded, LANES * SLICES>;
#endif

fn loadB(unit: u32) -> Loaded {
  return decode(b[storedAt(unit)], unit);
}

@compute @workgroup_size(LANES * SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  prepareDecoder(thread);
  let z = group.z;
  let sizeK = depth(z);
  let lane = thread % LANES;
  let slice = thread / LANES;
#for g in 0..GROUPS
  let n${g} = ((group.x * ${GROUPS}u + ${g}u) * LANES + lane) * ${WIDTH}u;
  let column${g} = min(n${g}, params.N - ${WIDTH}u);
#for m in 0..ROWS
  var c${m}_${g} = Loaded();
#endfor
#endfor
  for (var k = slice * ${UNROLL}u; k < sizeK; k += SLICES * ${UNROLL}u) {
#for q in 0..UNROLL
    {
#if UNROLL == 1
    let k0 = k;
    let inside = true;
#else
    let k${q} = min(k + ${q}u, sizeK - 1u);
    let inside = k + ${q}u < sizeK;
#endif
#for m in 0..ROWS
    let a${q}_${m} = select(0.0, a[indexA(z, min(${m}u, params.M - 1u), k${q})], inside);
#endfor
#for g in 0..GROUPS
    let b${q}_${g} = select(Loaded(), loadB(indexB(z, k${q}, column${g}) / ${WIDTH}u), inside);
#for m in 0..ROWS
    c${m}_${g} += a${q}_${m} * b${q}_${g};
#endfor
#endfor
    }
#endfor
  }
#for m in 0..ROWS
#for g in 0..GROUPS
  {
#if SLICES > 1
    workgroupBarrier();
    parts[thread] = c${m}_${g};
    workgroupBarrier();
    // The slices share the rows of y.
    let mine = slice == ${m % SLICES}u;
    var sum = parts[lane];
    for (var s = 1u; s < SLICES; s++) { sum += parts[s * LANES + lane]; }
#else
    let mine = true;
    let sum = c${m}_${g};
#endif
    if (mine & (n${g} < params.N) & (${m}u < params.M)) {
      let at = indexC(z, ${m}u, n${g});
#for j in 0..WIDTH
#if WIDTH == 4
      emit(sum[${j}], at + ${j}u, n${g} + ${j}u);
#else
      emit(sum, at, n${g});
#endif
#endfor
    }
  }
#endfor
#endfor
}
