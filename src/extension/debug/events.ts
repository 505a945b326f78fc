/** What `@vscode/debugadapter` takes from Node's `events`: the build puts this in its place, as there is no such module in a web worker. */

type Listener = (...args: readonly unknown[]) => void;

export class EventEmitter {
  readonly #listeners = new Map<string, Set<Listener>>();

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(listener));
    return this;
  }

  emit(event: string, ...args: readonly unknown[]): boolean {
    const listeners = this.#listeners.get(event) ?? [];
    for (const listener of listeners) listener(...args);
    return this.#listeners.has(event);
  }
}
