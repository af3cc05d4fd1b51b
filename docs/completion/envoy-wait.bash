# bash completion for envoy-wait(1). Made from the flags by make docs.

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
			--sidecar | --url | --ready-status | --timeout | --on-timeout | --absent-after | --request-timeout | --interval | --quit-url | --quit-on | --quit-timeout | --log-format | --log-level | --compat | --install)
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
		--sidecar)
			COMPREPLY=($(compgen -W 'istio envoy consul kuma linkerd dapr cloud-sql-proxy' -- "$cur"))
			return
			;;
		--url)
			return
			;;
		--ready-status)
			return
			;;
		--timeout)
			return
			;;
		--on-timeout)
			COMPREPLY=($(compgen -W 'start fail' -- "$cur"))
			return
			;;
		--absent-after)
			return
			;;
		--request-timeout)
			return
			;;
		--interval)
			return
			;;
		--quit-url)
			return
			;;
		--quit-on)
			COMPREPLY=($(compgen -W 'always success' -- "$cur"))
			return
			;;
		--quit-timeout)
			return
			;;
		--log-format)
			COMPREPLY=($(compgen -W 'auto json text' -- "$cur"))
			return
			;;
		--log-level)
			COMPREPLY=($(compgen -W 'debug info warn error' -- "$cur"))
			return
			;;
		--compat)
			COMPREPLY=($(compgen -W 'none scuttle' -- "$cur"))
			return
			;;
		--install)
			_filedir
			return
			;;
	esac
	$split && return

	COMPREPLY=($(compgen -W '
		--sidecar
		--url
		--ready-status
		--timeout
		--on-timeout
		--absent-after
		--request-timeout
		--interval
		--disabled
		--quit
		--quit-url
		--quit-on
		--quit-timeout
		--log-format
		--log-level
		--compat
		--once
		--install
		--version
		--help' -- "$cur"))
} &&
	complete -F _envoy_wait envoy-wait
