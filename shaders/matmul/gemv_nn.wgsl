// y = A B with few rows of A (ROWS, 1 to 16) and B a K x N matrix in f32, F16 or BF16, for GPUs. Bound by reading B, so
// every element is read once, coalesced, and used for all rows of A.
//
// A workgroup has LANES lanes along N, WIDTH columns each (4 where rows of B are aligned), times SLICES slices of K that
// take turns row by row; the slices are added up through workgroup memory at the end.
#include "matmul/epilogue.wgsl"
#include "common/pack.wgsl"

@group(0) @binding(0) var<storage, read> a: array<f32>;
#if WIDTH == 4 && (F16 || BF16)
@group(0) @binding(1) var<storage, read> b: array<vec2u>;
#elif WIDTH == 4
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
#elif F16 || BF16
@group(0) @binding(1) var<storage, read> b: array<u32>;
#else
@group(0) @binding(1) var<storage, read> b: array<f32>;
#endif

const LANES = 32u;
const SLICES = 8u;
#if WIDTH == 4
alias Columns = vec4f;
#else
alias Columns = f32;
#endif

var<workgroup> parts: array<Columns, LANES * SLICES>;

fn widen(word: u32) -> vec2f {
#if F16
  return unpack2x16float(word);
#else
  return unpackBf16(word);
#endif
}

fn loadB(at: u32) -> Columns {
#if WIDTH == 4 && (F16 || BF16)
  let words = b[at / 4u];
  return vec4f(widen(words.x), widen(words.y));
#elif WIDTH == 4
  return b[at / 4u];
#elif F16 || BF16
  let pair = widen(b[at / 2u]);
  return select(pair.x, pair.y, at % 2u == 1u);
#else
  return b[at];
#endif
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let z = group.z;
  let K = depth(z);
  let lane = thread % LANES;
  let slice = thread / LANES;
  let n = (group.x * LANES + lane) * ${WIDTH}u;
  let column = min(n, params.N - ${WIDTH}u);
#for m in 0..ROWS
  var c${m} = Columns();
#endfor
  for (var k = slice; k < K; k += SLICES) {
    let w = loadB(indexB(z, k, column));
#for m in 0..ROWS
    c${m} += a[indexA(z, min(${m}u, params.M - 1u), k)] * w;
#endfor
  }
#for m in 0..ROWS
  workgroupBarrier();
  parts[thread] = c${m};
  workgroupBarrier();
  if (slice == ${m % 8}u && n < params.N && ${m}u < params.M) {
    var sum = parts[lane];
    for (var s = 1u; s < SLICES; s++) { sum += parts[s * LANES + lane]; }
    let at = indexC(z, ${m}u, n);
#for j in 0..WIDTH
#if WIDTH == 4
    emit(sum[${j}], at + ${j}u, n + ${j}u);
#else
    emit(sum, at, n);
#endif
#endfor
  }
#endfor
}
