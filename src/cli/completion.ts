// mol completion: a completion script for bash, zsh or fish, made from the command tree itself.
import type { Command, Option } from 'commander'

function words(c: Command): string[] {
  return c.options.filter((o: Option) => !o.hidden).flatMap((o: Option) => [o.short, o.long].filter((w): w is string => w !== undefined))
}
function bash(mol: Command): string {
  const verbs = mol.commands.map(c => c.name())
  const cases = mol.commands.map(c => `    ${c.name()}) opts="${[...words(c), '--help'].join(' ')}" ;;`).join('\n')
  return `_mol() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" verb="\${COMP_WORDS[1]}" opts="" i
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${[...verbs, '--help', '--version'].join(' ')}" -- "$cur")); return; fi
  case "$verb" in
${cases}
  esac
  if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "$opts" -- "$cur")); return; fi
  COMPREPLY=($(compgen -c -f -- "$cur"))
}
complete -o default -F _mol mol
`
}
function zsh(mol: Command): string {
  return `#compdef mol\nautoload -U +X bashcompinit && bashcompinit\n${bash(mol)}`
}
function fish(mol: Command): string {
  const quote = (s: string): string => `'${s.replace(/'/g, "\\'")}'`
  const lines = mol.commands.map(c => `complete -c mol -n __fish_use_subcommand -a ${c.name()} -d ${quote(c.description())}`)
  for (const c of mol.commands)
    for (const o of c.options as Option[]) {
      const long = o.long ? ` -l ${o.long.slice(2)}` : ''
      const short = o.short ? ` -s ${o.short.slice(1)}` : ''
      lines.push(`complete -c mol -n '__fish_seen_subcommand_from ${c.name()}'${short}${long} -d ${quote(o.description)}`)
    }
  return `${lines.join('\n')}\n`
}

export function addCompletion(mol: Command): void {
  mol
    .command('completion')
    .description('print a completion script: eval "$(mol completion bash)"')
    .argument('<SHELL>', 'bash, zsh or fish')
    .action((shell: string) => {
      const make = { bash, zsh, fish }[shell]
      if (make === undefined) mol.error(`error: no completion for '${shell}'. There is bash, zsh and fish.`, { exitCode: 2 })
      else process.stdout.write(make(mol))
    })
}
