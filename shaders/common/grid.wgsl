// Linear workgroup index. One grid dimension holds at most 65535 workgroups, so launches fold long grids into y
// (src/kernels/support.ts, fold); the fold may overshoot, and shaders must ignore what lies past their end.
fn linearWorkgroup(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}
