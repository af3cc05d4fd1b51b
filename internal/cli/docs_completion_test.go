package cli

// bash-completion does the rest: it calls _envoy_wait with the words, and
// _command_offset completes what stands behind us as if it stood alone.
const bashCompletion = `# bash completion for envoy-wait(1). Made from the flags by make docs.

_envoy_wait()
{
	local cur prev words cword split command=0 i j=0 rest
	_init_completion -s -n : || return

	# Which word is the command? Flags end there, or at "--".
	for ((i = 1; i <= cword; i++)); do
		case ${words[i]} in
			--)
				((i < cword && (command = i + 1)))
				break
				;;
			{{takers .Flags " | "}})
				((i++))
				;;
			-*) ;;
			*)
				((i <= cword && (command = i)))
				break
				;;
		esac
	done
	if ((command)); then
		# _command_offset counts in COMP_WORDS, where = and : make words of their own.
		for ((i = 0; i < command; i++)); do
			rest=${words[i]}
			while [[ $rest ]] && ((j < COMP_CWORD)); do
				rest=${rest#"${COMP_WORDS[j++]}"}
			done
		done
		_command_offset "$j"
		return
	fi

	case $prev in
{{- range .Flags}}{{if .Placeholder}}
		--{{.Name}})
{{- if .Values}}
			COMPREPLY=($(compgen -W '{{join .Values " "}}' -- "$cur"))
{{- else if eq .Placeholder "PATH"}}
			_filedir
{{- end}}
			return
			;;
{{- end}}{{end}}
	esac
	$split && return

	COMPREPLY=($(compgen -W '{{range .Flags}}
		--{{.Name}}{{end}}' -- "$cur"))
} &&
	complete -F _envoy_wait envoy-wait
`

const zshCompletion = `#compdef envoy-wait
# zsh completion for envoy-wait(1). Made from the flags by make docs.

# Which word is the command? Flags end there, or at "--".
integer i
for ((i = 2; i <= CURRENT; i++)); do
	case $words[i] in
		(--) ((i++)); break ;;
		({{takers .Flags "|"}}) ((i++)) ;;
		(-*) ;;
		(*) break ;;
	esac
done
if ((i <= CURRENT)); then
	shift $((i - 1)) words
	((CURRENT -= i - 1))
	_normal -p $service
	return
fi

_arguments \
{{- range $i, $_ := .Flags}}{{if $i}} \{{end}}
	'{{if .Repeats}}*{{end}}--{{.Name}}{{if .Placeholder}}={{end}}[{{zsh .Help}}]
{{- if .Placeholder}}:{{zsh .Name}}:{{if .Values}}({{join .Values " "}}){{else if eq .Placeholder "PATH"}}_files{{else}} {{end}}{{end}}'
{{- end}}
`

const fishCompletion = `# fish completion for envoy-wait(1). Made from the flags by make docs.

# The words from the command on; fails where there is none yet.
function __envoy_wait_command
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                string join ' ' -- (string escape -- $words) $token
                return 0 # string join fails where there is one word only
            case {{takers .Flags " "}}
                set -e words[1]
                set -q words[1]; or return 1 # its value comes next
                set -e words[1]
            case '-*'
                set -e words[1]
            case '*'
                break
        end
    end
    set -q words[1]; or not string match -q -- '-*' $token; or return 1
    string join ' ' -- (string escape -- $words) $token
    return 0
end

complete -c envoy-wait -x -n __envoy_wait_command -a '(complete -C (__envoy_wait_command))'
{{- range .Flags}}
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l {{.Name}}
{{- if .Values}} -x -a '{{join .Values " "}}'{{else if eq .Placeholder "PATH"}} -r -F{{else if .Placeholder}} -x{{end}} -d '{{fish .Help}}'
{{- end}}
`
