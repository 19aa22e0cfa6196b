// Checks of a Go program: goroutines, timers, files, processes, signals, sockets.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var failed bool

func check(name string, want string, body func() string) {
	got := body()
	if got == want {
		fmt.Println("ok", name)
	} else {
		failed = true
		fmt.Printf("NOT OK %s: %s\n", name, got)
	}
}
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	dir, err := os.MkdirTemp(".", "go")
	must(err)
	check("goroutines", "1000000", func() string {
		var sum int64
		var all sync.WaitGroup
		for i := 0; i < 1000; i++ {
			all.Add(1)
			go func() {
				for n := 0; n < 1000; n++ {
					atomic.AddInt64(&sum, 1)
				}
				all.Done()
			}()
		}
		all.Wait()
		return fmt.Sprint(sum)
	})
	check("channels", "4950", func() string {
		in, out := make(chan int), make(chan int, 10)
		for w := 0; w < 4; w++ {
			go func() {
				for n := range in {
					runtime.Gosched()
					out <- n
				}
			}()
		}
		go func() {
			for i := 0; i < 100; i++ {
				in <- i
			}
			close(in)
		}()
		sum := 0
		for i := 0; i < 100; i++ {
			sum += <-out
		}
		return fmt.Sprint(sum)
	})
	check("threads locked", "8", func() string {
		ids := sync.Map{}
		var all, here sync.WaitGroup
		here.Add(8)
		for i := 0; i < 8; i++ {
			all.Add(1)
			go func() {
				runtime.LockOSThread()
				ids.Store(syscall.Gettid(), true)
				here.Done()
				here.Wait()
				all.Done()
			}()
		}
		all.Wait()
		n := 0
		ids.Range(func(_, _ any) bool { n++; return true })
		return fmt.Sprint(n)
	})
	check("timers", "timeout", func() string {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for i := 0; i < 5; i++ {
			<-ticker.C
		}
		select {
		case <-time.After(5 * time.Millisecond):
			return "timeout"
		case <-make(chan int):
			return "?"
		}
	})
	check("preemption", "done", func() string {
		stop := int32(0)
		go func() {
			for i := 0; atomic.LoadInt32(&stop) == 0; i++ {
			}
		}()
		for i := 0; i < 3; i++ {
			runtime.GC()
		}
		atomic.StoreInt32(&stop, 1)
		return "done"
	})
	check("garbage", "300000", func() string {
		kept := make(map[int][]byte)
		for i := 0; i < 300000; i++ {
			kept[i] = make([]byte, 100)
		}
		runtime.GC()
		return fmt.Sprint(len(kept))
	})
	check("nil pointer", "runtime error: invalid memory address or nil pointer dereference", func() (why string) {
		defer func() { why = fmt.Sprint(recover()) }()
		var p *[10]int
		return fmt.Sprint(p[5])
	})
	check("files", "a:4 d:dir l:4", func() string {
		must(os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o640))
		must(os.Mkdir(filepath.Join(dir, "d"), 0o700))
		must(os.Symlink("a", filepath.Join(dir, "l")))
		var all []string
		entries, err := os.ReadDir(dir)
		must(err)
		for _, e := range entries {
			s, err := os.Stat(filepath.Join(dir, e.Name()))
			must(err)
			if s.IsDir() {
				all = append(all, e.Name()+":dir")
			} else {
				all = append(all, fmt.Sprintf("%s:%d", e.Name(), s.Size()))
			}
		}
		sort.Strings(all)
		return strings.Join(all, " ")
	})
	check("process", "in exit status 3", func() string {
		cmd := exec.Command("sh", "-c", "cat; exit 3")
		cmd.Stdin = strings.NewReader("in")
		out, err := cmd.Output()
		return fmt.Sprint(string(out), " ", err)
	})
	check("pipes", "1000000", func() string {
		cmd := exec.Command("cat")
		cmd.Stdin = bytes.NewReader(make([]byte, 1000000))
		out, err := cmd.Output()
		must(err)
		return fmt.Sprint(len(out))
	})
	check("many processes", "20", func() string {
		var n int32
		var all sync.WaitGroup
		for i := 0; i < 20; i++ {
			all.Add(1)
			go func() {
				if exec.Command("true").Run() == nil {
					atomic.AddInt32(&n, 1)
				}
				all.Done()
			}()
		}
		all.Wait()
		return fmt.Sprint(n)
	})
	check("signals", "user defined signal 1", func() string {
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGUSR1)
		must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		return (<-got).String()
	})
	check("killed", "signal: killed", func() string {
		cmd := exec.Command("sleep", "100")
		must(cmd.Start())
		must(cmd.Process.Kill())
		return cmd.Wait().Error()
	})
	check("mmap", "x", func() string {
		m, err := syscall.Mmap(-1, 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		must(err)
		m[5000] = 'x'
		defer syscall.Munmap(m)
		return string(m[5000])
	})
	check("tcp", "50", func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err.Error()
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go io.Copy(c, c)
			}
		}()
		var n int32
		var all sync.WaitGroup
		for i := 0; i < 50; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					return
				}
				defer c.Close()
				c.Write([]byte("echo"))
				b := make([]byte, 4)
				if _, err := io.ReadFull(c, b); err == nil && string(b) == "echo" {
					atomic.AddInt32(&n, 1)
				}
			}()
		}
		all.Wait()
		l.Close()
		return fmt.Sprint(n)
	})
	check("http", "200 OK /path", func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err.Error()
		}
		go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
		r, err := http.Get("http://" + l.Addr().String() + "/path")
		if err != nil {
			return err.Error()
		}
		body, _ := io.ReadAll(r.Body)
		return r.Status + " " + string(body)
	})
	check("deadline", "true", func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err.Error()
		}
		l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = l.Accept()
		return fmt.Sprint(os.IsTimeout(err))
	})
	must(os.RemoveAll(dir))
	if failed {
		os.Exit(1)
	}
}
