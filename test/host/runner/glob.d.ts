/** Resolved by esbuild.mjs. */
declare module 'glob:*';
