// y = A B^T with few rows of A and B an N x K matrix of weights as it is stored: what a decode step does. It is bound by
// reading B, so every weight is read coalesced and used for ROWS rows of A; blocks of rows are along the grid's y.
//
// A team is a subgroup where there are subgroups, else the workgroup. Its lanes lie along K, WIDTH neighbouring elements
// each (16 bytes of B where rows are aligned, else one element), and it computes COLUMNS elements of each row of y, adding
// its lanes up at the end. Also the fastest way on software adapters when A has one row (a team is one subgroup there).
// Guards are joined by &: && branches, and SwiftShader takes minutes to compile sixteen such branches in a row.
#define ROWS 1..8    // rows of A per team, of which some may lie past the end
#define COLUMNS 1..8 // elements of a row of y per team
#define TEAM "invocation" | "subgroup" | "workgroup" // who computes together

#if TEAM == "subgroup"
enable subgroups;
diagnostic(off, subgroup_uniformity);
#endif
#include "common/weight.wgsl"
#include "matmul/epilogue.wgsl"

override WORKGROUP: u32 = 128;
#if TEAM == "workgroup"
#include "common/reduce.wgsl"
#endif

#if WIDTH > 1
var<storage, read> a: array<vec4f>;
#else
var<storage, read> a: array<f32>;
#endif
var<storage, read> b: array<Stored>;

fn loadB(unit: u32) -> Loaded {
  return decode(b[storedAt(unit)], unit);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
#if TEAM == "subgroup"
  @builtin(subgroup_invocation_id) lane: u32,
#endif
) {
  prepareDecoder(thread);
  let z = group.z;
  let first = group.y * ${ROWS}u;
  let sizeK = depth(z);
#if TEAM == "subgroup"
  // Counted, not asked for: drivers that choose the size per shader (Intel) may report a larger one than they run.
  let lanes = subgroupAdd(1u);
  let teams = WORKGROUP / lanes;
  let own = thread / lanes;
#elif TEAM == "workgroup"
  let lane = thread;
  let lanes = WORKGROUP;
  let teams = 1u;
  let own = 0u;
#else
  let lane = 0u;
  let lanes = 1u;
  let teams = WORKGROUP;
  let own = thread;
#endif
  let step = teams * ${COLUMNS}u;
  for (var block = group.x * step; block < params.N; block += groups.x * step) {
    let n = block + own * ${COLUMNS}u;
#for m in 0..ROWS
#for j in 0..COLUMNS
    var c${m}_${j} = 0.0;
#endfor
#endfor
    for (var k = lane * ${WIDTH}u; k < sizeK; k += lanes * ${WIDTH}u) {
#for j in 0..COLUMNS
      let w${j} = loadB(indexB(z, k, min(n + ${j}u, params.N - 1u)) / ${WIDTH}u);
#endfor
      // Row by row: no more than one of them is in registers.
#for m in 0..ROWS
      {
        let at = indexA(z, min(first + ${m}u, params.M - 1u), k);
#if WIDTH == 8
        let low = a[at / 4u];
        let high = a[at / 4u + 1u];
#elif WIDTH == 4
        let low = a[at / 4u];
#else
        let low = a[at];
#endif
#for j in 0..COLUMNS
#if WIDTH == 8
        c${m}_${j} += dot(low, w${j}[0]) + dot(high, w${j}[1]);
#elif WIDTH == 4
        c${m}_${j} += dot(low, w${j});
#else
        c${m}_${j} += low * w${j};
#endif
#endfor
      }
#endfor
    }
#for m in 0..ROWS
    {
      // Lane j ends up with column n + j, so that a row is stored at once.
      var sum = 0.0;
#for j in 0..COLUMNS
#if TEAM == "subgroup"
      let total${j} = subgroupAdd(c${m}_${j});
#elif TEAM == "workgroup"
      let total${j} = workgroupSum(c${m}_${j}, lane);
#else
      let total${j} = c${m}_${j};
#endif
      sum = select(sum, total${j}, lane == ${j}u);
#endfor
      if ((lane < ${COLUMNS}u) & (n + lane < params.N) & (first + ${m}u < params.M)) {
        emit(sum, indexC(z, first + ${m}u, n + lane), n + lane);
      }
    }
#endfor
  }
}
