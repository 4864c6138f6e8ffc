// The largest magnitude in a stretch of f32 numbers, for matmul/subgroup-matrix.wgsl: one partial maximum per workgroup.
// Works on bits, which order magnitudes as the numbers do. Infinities and NaN do not count. Neighbouring invocations
// read neighbours, eight loads at a time.
struct Params { first: u32, count: u32 }
#params Params

var<storage, read> a: array<u32>;
var<storage, read_write> partials: array<u32>;

override WORKGROUP: u32 = 256;

var<workgroup> found: array<u32, WORKGROUP>;

fn magnitude(bits: u32) -> u32 {
  let size = bits & 0x7fffffffu;
  return select(size, 0u, size >= 0x7f800000u);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let step = groups.x * WORKGROUP;
  let last = params.count - 1u;
  var largest = 0u;
  for (var at = group.x * WORKGROUP + lane; at < params.count; at += 8u * step) {
    #for i in 0..8
    largest = max(largest, magnitude(a[params.first + min(at + ${i}u * step, last)]));
    #endfor
  }
  found[lane] = largest;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { found[lane] = max(found[lane], found[lane + half]); }
  }
  if (lane == 0u) { partials[group.x] = found[0]; }
}
