// Matrix product for software adapters, where an invocation is a lane of a CPU vector register.
//
// A lane owns COLUMNS output columns (16 apart) and ROWS rows of them in registers. Loads whose address is the same for
// all lanes are scalar and cheap there, so A goes through workgroup memory and is read uniformly; loads that differ per
// lane cost as much as sixteen multiply-adds whatever their addresses, so each element of B is loaded once per ROWS rows.
// Loop iterations are expensive, hence the unrolling by UNROLL. Twenty-four to thirty-two accumulators are best (two
// columns); more spill.
//
// A workgroup computes ROWS rows times a run of 16-column panels: it stages CHUNK columns of A once and passes over its
// panels, keeping partial sums in y when K is longer than a chunk. Guarding every store by its row costs 15%, hence the
// two ways to store; their conditions are joined by &, since && branches once more, which SwiftShader takes twice as long to
// compile for each one in a row.
//
// B is either packed by matmul/pack.wgsl (PACKED: [panel][K rounded up to UNROLL][16], zeros outside) or read in place
// as it is stored, K x N or N x K (TRANSPOSE_B; with WIDTH 8 eight steps of K at a time, where rows are aligned). In place
// pays when there are few rows of A.
#define PACKED          // B comes from matmul/pack.wgsl
#define ROWS 1..16      // rows per workgroup
#define COLUMNS 1..16   // columns per lane
#define STEP 1 | 2 | 4  // columns of A that fill whole vectors
#define UNROLL 16       // steps of K per turn of the loop
#define CHUNK 256 | 512 // steps of K staged at a time; a power of two
#include "matmul/epilogue.wgsl"
#include "common/weight.wgsl"

var<storage, read> a: array<f32>;
var<storage, read> b: array<Stored>;

const CHUNK = ${CHUNK}u;
const ROWS = ${ROWS}u;

// The chunk of A, column by column, four numbers to a vector: a uniform read costs its bounds check, not its width. STEP
// columns fill whole vectors. Masking k by the chunk size spares half of that check.
var<workgroup> rows: array<vec4f, CHUNK * ROWS / 4u>;

fn loadB(unit: u32) -> Loaded {
  return decode(b[storedAt(unit)], unit);
}

// Row m, column start + k of A, times the product's factor; zero behind the end of the chunk.
fn stageA(z: u32, m: u32, start: u32, k: u32, count: u32) -> f32 {
  return select(0.0, params.scale * a[indexA(z, min(m, params.M - 1u), start + min(k, count - 1u))], k < count);
}

fn store(sum: f32, at: u32, n: u32, last: bool) {
  var value = sum;
  if (last) { value = finish(sum, at, n); }
  y[at] = value;
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  prepareDecoder(lane);
  let z = group.z;
  let row = group.x * ROWS;
  let sizeK = depth(z);
  let panels = (params.N + ${16 * COLUMNS - 1}u) / ${16 * COLUMNS}u;
  let run = (panels + groups.y - 1u) / groups.y;
  let firstPanel = group.y * run;
  let lastPanel = min(firstPanel + run, panels);
  for (var start = 0u; start < sizeK; start += CHUNK) {
    let count = min(CHUNK, sizeK - start);
    workgroupBarrier();
    for (var k = lane * ${STEP}u; k < ((count + ${UNROLL - 1}u) & ~${UNROLL - 1}u); k += ${16 * STEP}u) {
#for v in 0..STEP*ROWS/4
      rows[k * ROWS / 4u + ${v}u] = vec4f(
#for e in 4*v..4*v+4
        stageA(z, row + ${e % ROWS}u, start, k + ${e / ROWS}u, count),
#endfor
      );
#endfor
    }
    workgroupBarrier();
    for (var panel = firstPanel; panel < lastPanel; panel++) {
#for j in 0..COLUMNS
      let n${j} = panel * ${16 * COLUMNS}u + ${16 * j}u + lane;
#if PACKED
      let origin${j} = params.baseB + z * params.strideB + ((panel * ${COLUMNS}u + ${j}u) * params.ldb + start) * 16u + lane;
#else
      let origin${j} = indexB(z, start, min(n${j}, params.N - 1u));
#endif
#for i in 0..ROWS
      var c${i}_${j} = 0.0;
#endfor
#endfor
      // What y holds: the sums of earlier chunks, or what the caller accumulates in.
#if ACCUMULATE
      let factor = select(1.0, params.beta, start == 0u);
      const continued = true;
#else
      const factor = 1.0;
      let continued = start > 0u;
#endif
      if (continued) {
#for i in 0..ROWS
#for j in 0..COLUMNS
        c${i}_${j} = factor * y[indexC(z, min(row + ${i}u, params.M - 1u), min(n${j}, params.N - 1u))];
#endfor
#endfor
      }
      for (var k = 0u; k < count; k += ${UNROLL}u) {
        let inner = (k & (CHUNK - 1u)) * ROWS / 4u;
#for step in 0..UNROLL/STEP
#for q in STEP*step..STEP*step+STEP
#for j in 0..COLUMNS
#if WIDTH == 8
#if q % 8 == 0
        let units${q / 8}_${j} = loadB((origin${j} + min(k + ${q}u, count - 8u)) / 8u);
#endif
        let b${q}_${j} = select(0.0, units${q / 8}_${j}[${q % 8 / 4}u][${q % 4}u], k + ${q}u < count);
#elif PACKED
        let b${q}_${j} = loadB(origin${j} + (k + ${q}u) * 16u);
#elif TRANSPOSE_B
        let b${q}_${j} = select(0.0, loadB(origin${j} + min(k + ${q}u, count - 1u)), k + ${q}u < count);
#else
        let b${q}_${j} = select(0.0, loadB(origin${j} + min(k + ${q}u, count - 1u) * params.ldb), k + ${q}u < count);
#endif
#endfor
#endfor
#for v in STEP*ROWS/4*step..STEP*ROWS/4*(step+1)
        let a${v} = rows[inner + ${v}u];
#for e in 4*v..4*v+4
#for j in 0..COLUMNS
        c${e % ROWS}_${j} += a${v}[${e % 4}] * b${e / ROWS}_${j};
#endfor
#endfor
#endfor
#endfor
      }
      let last = start + count == sizeK;
      if ((row + ROWS <= params.M) & ((panel + 1u) * ${16 * COLUMNS}u <= params.N)) {
        let at = indexC(z, row, n0);
#for i in 0..ROWS
#for j in 0..COLUMNS
        store(c${i}_${j}, at + ${i}u * params.ldc + ${16 * j}u, n${j}, last);
#endfor
#endfor
      } else {
        let at = indexC(z, row, n0);
#for i in 0..ROWS
#for j in 0..COLUMNS
        if ((row + ${i}u < params.M) & (n${j} < params.N)) { store(c${i}_${j}, at + ${i}u * params.ldc + ${16 * j}u, n${j}, last); }
#endfor
#endfor
      }
    }
  }
}
