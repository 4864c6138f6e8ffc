/**
 * What a WGSL module says about itself. The shader is the only place that lists its bindings and parameters; launches
 * pass both by name, and this file turns the declarations into binding slots and parameter offsets.
 */
import { OslerError } from './errors.js';

/** A `@group(0)` storage binding. */
export interface BindingSlot {
  readonly name: string;
  readonly access: 'read' | 'read_write';
}

/** A field of the struct named in `#params`; every field is four bytes. */
export interface ParamField {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32';
}

/** Bindings in slot order and parameters in memory order. */
export interface Reflection {
  readonly bindings: readonly BindingSlot[];
  readonly params: readonly ParamField[];
}

/** Reads the declarations of an already specialised module. */
export function reflect(path: string, code: string): Reflection {
  const text = code.replace(/\/\/[^\n]*/g, '');
  const bindings: BindingSlot[] = [];
  const binding = /@group\(0\)\s*@binding\((\d+)\)\s*var<storage(?:,\s*(read|read_write))?>\s*(\w+)\s*:/g;
  for (const [, slot, access, name] of text.matchAll(binding)) {
    bindings[Number(slot)] = { name, access: access === 'read_write' ? 'read_write' : 'read' };
  }
  return { bindings, params: reflectParams(path, text) };
}

function reflectParams(path: string, text: string): ParamField[] {
  const type = /var<(?:immediate|uniform)>\s*params\s*:\s*(\w+)\s*;/.exec(text)?.[1];
  if (!type) return [];
  const body = new RegExp(`struct\\s+${type}\\s*\\{([^}]*)\\}`).exec(text)?.[1];
  if (body === undefined) throw new OslerError('kernel', `shaders/${path}: struct ${type} is not declared`);
  return body
    .split(',')
    .map((field) => field.trim())
    .filter((field) => field.length > 0)
    .map((field) => {
      const match = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(field);
      if (!match) {
        throw new OslerError('kernel', `shaders/${path}: parameter "${field}" must be u32, i32 or f32`);
      }
      return { name: match[1], type: match[2] as ParamField['type'] };
    });
}
