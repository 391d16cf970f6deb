package completion

import (
	"fmt"
	"slices"
	"strings"
)

func bash(program string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for %[1]s. Load it once: source <(%[1]s completion bash)
_%[1]s() {
    local current=${COMP_WORDS[COMP_CWORD]} at='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$at ${COMP_WORDS[i]}" in
            %[2]s) at="$at ${COMP_WORDS[i]}" ;;
        esac
    done
    COMPREPLY=()
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=''
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
`, program, paths(places, " | "))
	for _, f := range flagsOf(places, oneOf) {
		fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -W '%s' -- \"$current\")); return ;;\n", f.name,
			strings.Join(f.values, " "))
	}
	fmt.Fprintf(&b, "        %s) local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n",
		names(flagsOf(places, file), " | "))
	fmt.Fprintf(&b, "        %s) return ;;\n    esac\n    case $at in\n", names(flagsOf(places, anything), " | "))
	for _, p := range places {
		fmt.Fprintf(&b, "        '%s')\n            COMPREPLY=($(compgen -W '%s' -- \"$current\"))\n", p.path,
			names(slices.Concat(p.commands, p.values, p.flags), " "))
		if p.files {
			b.WriteString("            [[ $current == -* ]] && return\n            local IFS=$'\\n'\n" +
				"            COMPREPLY=($(compgen -f -- \"$current\"))\n")
		}
		b.WriteString("            ;;\n")
	}
	fmt.Fprintf(&b, "    esac\n}\ncomplete -o filenames -F _%[1]s %[1]s\n", program)
	return b.String()
}

func zsh(program string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef %[1]s
# zsh completion for %[1]s. Load it once: source <(%[1]s completion zsh)
_%[1]s() {
    local at='' i
    local -a found
    for ((i = 2; i < CURRENT; i++)); do
        case "$at ${words[i]}" in
            %[2]s) at="$at ${words[i]}" ;;
        esac
    done
    case ${words[CURRENT-1]} in
`, program, paths(places, " | "))
	for _, f := range flagsOf(places, oneOf) {
		fmt.Fprintf(&b, "        %s) compadd -- %s; return ;;\n", f.name, strings.Join(f.values, " "))
	}
	fmt.Fprintf(&b, "        %s) _files; return ;;\n", names(flagsOf(places, file), " | "))
	fmt.Fprintf(&b, "        %s) _message value; return ;;\n    esac\n    case $at in\n",
		names(flagsOf(places, anything), " | "))
	for _, p := range places {
		fmt.Fprintf(&b, "        '%s')\n", p.path)
		describe(&b, "command", slices.Concat(p.commands, p.values))
		if p.files {
			b.WriteString("            [[ ${words[CURRENT]} == -* ]] || _files\n")
		}
		b.WriteString("            [[ ${words[CURRENT]} == -* ]] || return\n")
		describe(&b, "flag", p.flags)
		b.WriteString("            ;;\n")
	}
	fmt.Fprintf(&b, `    esac
}
if [[ ${funcstack[1]} == _%[1]s ]]; then
    _%[1]s "$@"
else
    compdef _%[1]s %[1]s
fi
`, program)
	return b.String()
}

// describe offers words with their help.
func describe(b *strings.Builder, what string, all []word) {
	if len(all) == 0 {
		return
	}
	b.WriteString("            found=(\n")
	for _, w := range all {
		line := w.name
		if w.help != "" {
			line += ":" + w.help
		}
		fmt.Fprintf(b, "                %s\n", quote(line))
	}
	fmt.Fprintf(b, "            )\n            _describe %s found\n", what)
}

func fish(program string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# fish completion for %[1]s. Load it once: %[1]s completion fish | source
function __%[1]s_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case %[2]s
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c %[1]s -f
`, program, paths(places, " "))
	for _, p := range places {
		when := fmt.Sprintf("complete -c %[1]s -n '__%[1]s_at \"%[2]s\"'", program, p.path)
		for _, w := range slices.Concat(p.commands, p.values) {
			fmt.Fprintf(&b, "%s -a %s%s\n", when, w.name, help(w))
		}
		if p.files {
			fmt.Fprintf(&b, "%s -F\n", when)
		}
		for _, f := range p.flags {
			takes := map[kind]string{
				nothing: "", anything: " -x", file: " -rF", oneOf: " -x -a '" + strings.Join(f.values, " ") + "'",
			}[f.takes]
			fmt.Fprintf(&b, "%s -l %s%s%s\n", when, strings.TrimPrefix(f.name, "--"), takes, help(f))
		}
	}
	return b.String()
}

// help returns the option of fish that describes a word.
func help(w word) string {
	if w.help == "" {
		return ""
	}
	// Between single quotes fish reads \' and \\.
	return " -d '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w.help) + "'"
}
