/** Passes on the last value of each frame: a dragged thumb asks more often than anything can be drawn. */
export function latestPerFrame<T>(send: (value: T) => void): (value: T) => void {
  let waiting: { readonly value: T } | undefined;
  return (value) => {
    if (waiting === undefined) {
      requestAnimationFrame(() => {
        const latest = waiting;
        waiting = undefined;
        if (latest) send(latest.value);
      });
    }
    waiting = { value };
  };
}
