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
            case --sidecar --url --ready-status --timeout --on-timeout --absent-after --request-timeout --interval --quit-url --quit-on --quit-timeout --log-format --log-level --compat --install
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
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l sidecar -x -a 'istio envoy consul kuma linkerd dapr cloud-sql-proxy' -d 'preset for a known sidecar: URL, ready status and quit URL'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l url -x -d 'endpoint to wait for, in place of the default sidecar; repeatable'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l ready-status -x -d 'HTTP statuses that count as ready, such as 200,204 or 2xx'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l timeout -x -d 'give up after D; 0 never gives up'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l on-timeout -x -a 'start fail' -d 'after a timeout start the command with a warning, or exit 124'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l absent-after -x -d 'give up after D if every attempt was refused: no sidecar'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l request-timeout -x -d 'limit of one attempt, connect to headers; 900ms with --once'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l interval -x -d 'longest pause between two attempts, at least 10ms'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l disabled -d 'start the command at once, without a wait'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit -d 'after the command has ended, POST to the sidecar\'s quit URL'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-url -x -d 'after the command has ended, POST to URL; repeatable'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-on -x -a 'always success' -d 'quit the sidecar after any end, or only after exit status 0'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l quit-timeout -x -d 'limit of all quit requests together'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l log-format -x -a 'auto json text' -d 'format of the log; auto is text on a terminal, else json'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l log-level -x -a 'debug info warn error' -d 'lowest level to log'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l compat -x -a 'none scuttle' -d 'scuttle: also read scuttle\'s variables'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l once -d 'make one attempt, then exit 0 if ready, else 1'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l install -r -F -d 'copy this binary to PATH, or into the directory PATH, and exit'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l version -d 'print the version and exit'
complete -c envoy-wait -n 'not __envoy_wait_command >/dev/null' -l help -d 'print this help and exit'
