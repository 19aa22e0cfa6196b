// Properties of one program: it makes random calls by a seed and prints what they answer. The same seed natively and in a machine, in every
// place named, must print the same. A row is all a new one takes: [name, C source beside this file, calls per seed, places].
export type Place = 'base' | 'memory' | 'bind'
export type Property = readonly [name: string, source: string, calls: number, places: readonly Place[]]

// biome-ignore format: a table
export const PROPERTIES: readonly Property[] = [
  ['files', 'files.c', 300, ['base', 'memory', 'bind']],
  ['pipes', 'pipes.c', 400, ['base']],
]

/** Runs seeds $2 to $3 of program $0 (with $1 calls each), each in a directory of its own with something in it, below the working one. */
export const SCRIPT = `for s in $(seq $2 $3); do
  mkdir p$s && cd p$s && mkdir x y && echo base content > base && echo in > x/a && ln -s x l
  echo "seed $s"; "$0" $s $1; cd ..; rm -rf p$s
done`
