// Like walk.wgsl, for shaders that need to know where in a row of params.width Values an element stands. The including
// file defines `fn element(row: u32, column: u32)`. An invocation divides once and then steps from element to element,
// WORKGROUP apart: integer divisions are what such shaders would otherwise spend their time on, most of all on software
// drivers. NARROW is for rows shorter than a step, which could pass more than one row end.
#define VEC4   // a Value is a vec4f
#define NARROW // rows are shorter than a step
#include "common/grid.wgsl"

#if VEC4
alias Value = vec4f;
#else
alias Value = f32;
#endif

override WORKGROUP: u32 = 64;
override TURNS: u32 = 1;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = linearWorkgroup(group, groups) * WORKGROUP * 4u * TURNS;
  var at = start + lane;
  var row = at / params.width;
  var column = at % params.width;
  for (var turn = 0u; turn < TURNS; turn++) {
    if (start + (turn + 1u) * WORKGROUP * 4u <= params.size) {
#for i in 0..4
      element(row, column);
      {
#if NARROW
        at += WORKGROUP;
        row = at / params.width;
        column = at % params.width;
#else
        let next = column + WORKGROUP;
        let past = next >= params.width;
        row += select(0u, 1u, past);
        column = next - select(0u, params.width, past);
#endif
      }
#endfor
    } else {
#for i in 0..4
      {
        let last = start + turn * WORKGROUP * 4u + ${i}u * WORKGROUP + lane;
        if (last < params.size) { element(last / params.width, last % params.width); }
      }
#endfor
    }
  }
}
