/** The words that C, Linux and QEMU put around a declared name. */

const CONTROL = new Set('if else for while do switch return goto case default sizeof asm __asm__ static_assert'.split(' '));

const QUALIFIERS = new Set('const volatile restrict __restrict struct union enum __rcu __user __iomem __percpu'.split(' '));

const STORAGE = new Set('static extern inline noinline notrace noinstr asmlinkage register typedef'.split(' '));

const ATTRIBUTES = new Set(
  `__attribute__ __attribute __aligned __alignof__ __section __printf __scanf __format_arg __no_sanitize __alloc_size
   __assume_aligned __acquires __releases __must_hold __cond_acquires __cond_lock __diagnose_as __counted_by __nonstring
   __typeof__ typeof _Alignas alignas G_GNUC_PRINTF GCC_FMT_ATTR QEMU_ALIGNED TSA_REQUIRES TSA_NO_TSA
   __init __exit __initdata __initconst __initdata_or_meminit __ro_after_init __refdata __read_mostly __devinitdata
   __maybe_unused __used __unused __weak __visible __packed __randomize_layout __must_check __always_unused
   __cacheline_aligned __cacheline_aligned_in_smp ____cacheline_aligned ____cacheline_aligned_in_smp
   ____cacheline_internodealigned_in_smp __page_aligned_data __page_aligned_bss __percpu __rcu __user __iomem
   __latent_entropy __bss_decrypted __hyp_ro __noreturn __cold __malloc __pure __ref __bpf_kfunc`.split(/\s+/),
);

const DEFINERS = new Set('DECLARE_WORK DECLARE_DELAYED_WORK DECLARE_TASKLET DECLARE_TASKLET_OLD DEFINE_TIMER'.split(' '));

/** A macro whose first argument names an object that the others initialize: `DECLARE_WORK(work, function);`. */
export function definesObject(macro: string): boolean {
  return DEFINERS.has(macro);
}

/** A word that opens a statement or an operator, so that what follows it in parentheses declares nothing. */
export function isControl(word: string): boolean {
  return CONTROL.has(word);
}

/** A word that may stand before a name inside a declarator's parentheses. */
export function isQualifier(word: string): boolean {
  return QUALIFIERS.has(word);
}

/** A known attribute, with or without arguments: never the name that is declared. */
export function isAttribute(word: string): boolean {
  return ATTRIBUTES.has(word);
}

/** A word that may be, or be part of, a type. */
export function mayBeType(word: string): boolean {
  return !STORAGE.has(word) && !(isAttribute(word) && !word.includes('typeof'));
}

/** A word that may follow a function's parameters as an attribute: `__releases`, `NO_SANITIZE`. */
export function mayTrail(word: string): boolean {
  return word.startsWith('__') || isCapitals(word);
}

/** Spelled as macros are. */
export function isCapitals(word: string): boolean {
  return word === word.toUpperCase();
}
