/** Resolved by esbuild.mjs: what the code of a folder says with `t('…')`. */
declare module 'texts:*' {
  export const texts: readonly string[];
}
