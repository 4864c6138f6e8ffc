// Matrix product for software adapters, where an invocation is a lane of a CPU vector register.
//
// A lane owns one output column and ROWS rows of it in registers. Loads whose address is the same for all lanes are
// scalar and cheap there, so A goes through workgroup memory (where such loads are not even bounds-checked) and is read
// uniformly; loads that differ per lane cost as much as sixteen multiply-adds whatever their addresses, so each element
// of B is loaded once per ROWS rows. Loop iterations are expensive, hence the unrolling by UNROLL.
//
// A workgroup computes ROWS rows times a run of 16-column panels: it stages CHUNK columns of A once and passes over its
// panels, keeping partial sums in y when K is longer than a chunk.
//
// B is either packed by matmul/pack.wgsl (PACKED: [panel][K rounded up to UNROLL][16], zeros outside) or read in place, in
// f32, F16 or BF16, K x N or N x K (TRANSPOSE_B). In place pays when there are few rows of A.
#include "matmul/epilogue.wgsl"
#include "common/pack.wgsl"

@group(0) @binding(0) var<storage, read> a: array<f32>;
#if F16 || BF16
@group(0) @binding(1) var<storage, read> b: array<u32>;
#else
@group(0) @binding(1) var<storage, read> b: array<f32>;
#endif

const CHUNK = 256u;
const ROWS = ${ROWS}u;

// Column k of the chunk is rows[k * ROWS ..]. Masking k by the chunk size spares the bounds check of every read.
var<workgroup> rows: array<f32, CHUNK * ROWS>;

#if !PACKED
fn loadB(at: u32) -> f32 {
#if F16
  let pair = unpack2x16float(b[at >> 1u]);
  return select(pair.x, pair.y, (at & 1u) == 1u);
#elif BF16
  let word = b[at >> 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (at & 1u) == 1u));
#else
  return b[at];
#endif
}
#endif

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let z = group.z;
  let row = group.x * ROWS;
  let K = depth(z);
  let panels = (params.N + 15u) / 16u;
  let run = (panels + groups.y - 1u) / groups.y;
  let firstPanel = group.y * run;
  let lastPanel = min(firstPanel + run, panels);
  for (var start = 0u; start < K; start += CHUNK) {
    let count = min(CHUNK, K - start);
    workgroupBarrier();
    for (var k = lane; k < ((count + ${UNROLL - 1}u) & ~${UNROLL - 1}u); k += 16u) {
#for i in 0..ROWS
      rows[k * ROWS + ${i}u] = select(0.0, params.scale * a[indexA(z, min(row + ${i}u, params.M - 1u), start + min(k, count - 1u))], k < count);
#endfor
    }
    workgroupBarrier();
    for (var panel = firstPanel; panel < lastPanel; panel++) {
      let n = panel * 16u + lane;
#if PACKED
      let origin = params.baseB + z * params.strideB + (panel * params.ldb + start) * 16u + lane;
#else
      let origin = indexB(z, start, min(n, params.N - 1u));
#endif
      let at = indexC(z, row, n);
#for i in 0..ROWS
      var c${i} = 0.0;
#endfor
      if (start > 0u) {
#for i in 0..ROWS
        if (row + ${i}u < params.M && n < params.N) { c${i} = y[at + ${i}u * params.ldc]; }
#endfor
      }
#if ACCUMULATE
      if (start == 0u) {
#for i in 0..ROWS
        if (row + ${i}u < params.M && n < params.N) { c${i} = params.beta * y[at + ${i}u * params.ldc]; }
#endfor
      }
#endif
      for (var k = 0u; k < count; k += ${UNROLL}u) {
        let inner = (k & (CHUNK - 1u)) * ROWS;
#for q in 0..UNROLL
#if PACKED
        let b${q} = b[origin + (k + ${q}u) * 16u];
#elif TRANSPOSE_B
        let b${q} = select(0.0, loadB(origin + min(k + ${q}u, count - 1u)), k + ${q}u < count);
#else
        let b${q} = select(0.0, loadB(origin + min(k + ${q}u, count - 1u) * params.ldb), k + ${q}u < count);
#endif
#for i in 0..ROWS
        c${i} += rows[inner + ${q * ROWS + i}u] * b${q};
#endfor
#endfor
      }
      if (n < params.N) {
        if (start + count == K) {
#for i in 0..ROWS
          c${i} = finish(c${i}, at + ${i}u * params.ldc, n);
#endfor
        }
#for i in 0..ROWS
        if (row + ${i}u < params.M) { y[at + ${i}u * params.ldc] = c${i}; }
#endfor
      }
    }
  }
}
