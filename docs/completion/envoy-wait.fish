# fish completion for envoy-wait(1). Made from the flags by make docs.

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
            case --proxy --url --status --timeout --on-timeout --absent-after --request-timeout --interval --quit-url --quit-on --quit-timeout --compat --log-format --log-level --install
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
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l help -d 'print this help and exit'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l proxy -x -a 'istio envoy consul appmesh kuma linkerd gloo dapr cloud-sql-proxy' -d 'which sidecar, of those below'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l url -x -d 'what must be ready; may be repeated, then all must be'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l status -x -d 'what counts as ready, such as 200,204 or 2xx'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l timeout -x -d 'end of the whole wait; 0 waits for ever'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l on-timeout -x -a 'start fail' -d 'start the command with a warning, or exit 124'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l absent-after -x -d 'take it as timed out when nothing but refused for so long'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l request-timeout -x -d 'one attempt, from connecting to the end of headers'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l interval -x -d 'the longest pause between two attempts'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l disabled -d 'no wait: become the command at once'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-url -x -d 'for a Job: when the command has ended, POST to URL; may be repeated'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit -d 'the same with the proxy\'s own URL'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-on -x -a 'exit success' -d 'success: only if the exit status is 0'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-timeout -x -d 'end of all the quit requests'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l compat -x -a 'none scuttle' -d 'take scuttle\'s variables as well, see docs/migrating.md'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l log-format -x -a 'auto json text' -d 'auto is text where stderr is a terminal, else json'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l log-level -x -a 'debug info warn error' -d 'the lowest level that is logged'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l once -d 'one attempt, no wait: exit 0 if ready, else 1'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l install -r -F -d 'copy this binary to PATH, or into it, and exit'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l version -d 'print the version and exit'
