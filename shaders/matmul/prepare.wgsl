// An operand of a product on matrix units whose elements along K are neighbours already, prepared as matmul/halves.wgsl says:
// one launch, which reads each row twice, first for its largest magnitude. LANES invocations share a row.
#define LANES 8 | 16 | 32 | 64 | 128 // invocations per row
#include "matmul/halves.wgsl"
#include "common/grid.wgsl"

const WORKGROUP = 128u;
const LANES = ${LANES}u;

#if COMPONENT == "f16"
var<workgroup> found: array<u32, WORKGROUP>;
#endif

// Elements k .. k + 3 of a row that starts at `at`; zeros past its end.
fn fourAt(at: u32, k: u32) -> vec4f {
  let last = params.K - 1u;
#if WIDTH == 4
  let values = load((at + min(k, last)) >> 2u);
#else
  let values = vec4f(
    load(at + min(k, last)), load(at + min(k + 1u, last)), load(at + min(k + 2u, last)), load(at + min(k + 3u, last)),
  );
#endif
  return select(vec4f(), values, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(params.K));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  prepareDecoder(thread);
  let row = linearWorkgroup(group, groups) * (WORKGROUP / LANES) + thread / LANES;
  let lane = thread % LANES;
  // Rows past the end are worked on as the last one, and not stored.
  let own = min(row, params.count - 1u);
  let at = params.base + own / params.rows * params.stride + own % params.rows * params.ld;
#if COMPONENT == "f16"
  var largest = 0u;
  for (var k = 4u * lane; k < params.K; k += 4u * LANES) {
    let values = fourAt(at, k);
    largest = max(
      largest,
      max(max(magnitude(values.x), magnitude(values.y)), max(magnitude(values.z), magnitude(values.w))),
    );
  }
  found[thread] = largest;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { found[thread] = max(found[thread], found[thread + half]); }
  }
  workgroupBarrier();
  let exponent = exponentFor(found[thread - lane]);
  if (row >= params.count) { return; }
  if (lane == 0u) { scales[row] = bitcast<f32>((254u - exponent) << 23u); }
  let up = bitcast<f32>(exponent << 23u);
#else
  if (row >= params.count) { return; }
  let up = 1.0;
#endif
  for (var k = UNIT * lane; k < params.padded; k += UNIT * LANES) {
    storeUnit(row, k, up * fourAt(at, k), up * fourAt(at, k + 4u));
  }
}
