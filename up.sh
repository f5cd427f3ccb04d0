up(){ for i in $(seq 100); do curl -s -o /dev/null 127.0.0.1:$1/health && return; sleep 0.1; done; }
