/**
 * Scoped memory: tensors made inside a scope are freed when it ends, unless they are returned, kept, or saved by the
 * autograd tape (which holds its own handles).
 */

/** What a scope must know of a tensor. */
interface Scoped {
  readonly isTensor: true;
  dispose(): void;
}

interface Scope {
  readonly tensors: Set<Scoped>;
}

const stack: Scope[] = [];

/** Called by the tensor constructor. */
export function enter(tensor: Scoped): void {
  stack[stack.length - 1]?.tensors.add(tensor);
}

/** Called when a tensor is disposed or kept. */
export function leave(tensor: Scoped): void {
  for (let i = stack.length - 1; i >= 0; i--) {
    if (stack[i].tensors.delete(tensor)) return;
  }
}

/**
 * Runs `body` and frees every tensor that it made, except those in its result (a tensor, or arrays and plain objects
 * holding tensors), which move to the enclosing scope. Bodies may be async; scopes must then end in the order opposite
 * to their start, so do not run two scoped async bodies concurrently.
 */
export function scope<T>(body: () => T): T {
  const own: Scope = { tensors: new Set() };
  stack.push(own);
  let result: T;
  try {
    result = body();
  } catch (error) {
    close(own, undefined);
    throw error;
  }
  if (result instanceof Promise) {
    return result.then(
      (value) => {
        close(own, value);
        return value;
      },
      (error) => {
        close(own, undefined);
        throw error;
      },
    ) as T;
  }
  close(own, result);
  return result;
}

function close(own: Scope, result: unknown): void {
  const at = stack.lastIndexOf(own);
  stack.splice(at, 1);
  const outer = stack[at - 1];
  for (const tensor of tensorsIn(result)) {
    if (own.tensors.delete(tensor)) outer?.tensors.add(tensor);
  }
  for (const tensor of [...own.tensors]) tensor.dispose();
}

function tensorsIn(value: unknown, found: Scoped[] = []): Scoped[] {
  if (typeof value !== 'object' || value === null) return found;
  if ('isTensor' in value) found.push(value as Scoped);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, found);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) tensorsIn(item, found);
  }
  return found;
}
