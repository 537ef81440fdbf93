// A service of gRPC and a caller of it on grpc-go, without generated code: messages are bytes.
//
//	peer serve           prints its port; ends when standard input does
//	peer call TARGET     makes every kind of call, and prints what came of it as one line of JSON
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const mib = 1024 * 1024

// raw takes messages that are bytes as they are, and those of gRPC's own services as protobuf.
type raw struct{}

func (raw) Marshal(v interface{}) ([]byte, error) {
	if message, ok := v.(proto.Message); ok {
		return proto.Marshal(message)
	}
	return *v.(*[]byte), nil
}

func (raw) Unmarshal(data []byte, v interface{}) error {
	if message, ok := v.(proto.Message); ok {
		return proto.Unmarshal(data, message)
	}
	*v.(*[]byte) = data
	return nil
}

func (raw) Name() string   { return "proto" }
func (raw) String() string { return "proto" }

// --- the service

type service struct {
	gone chan struct{} // a call of Wait was cancelled
}

type method func(context.Context, []byte) ([]byte, error)

func unary(name string, do method) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ interface{}, ctx context.Context, read func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) {
			var request []byte
			if err := read(&request); err != nil {
				return nil, err
			}
			answer, err := do(ctx, request)
			return &answer, err
		},
	}
}

func (*service) echo(ctx context.Context, request []byte) ([]byte, error) {
	seen, _ := metadata.FromIncomingContext(ctx)
	trailer := metadata.Pairs("x-seen-traceparent", strings.Join(seen.Get("traceparent"), "|"))
	return request, grpc.SetTrailer(ctx, trailer)
}

func (*service) fail(ctx context.Context, _ []byte) ([]byte, error) {
	grpc.SetTrailer(ctx, metadata.Pairs("details-bin", "\x00\xff\x01"))
	told, err := status.New(codes.NotFound, "no such thing: ü 100%").WithDetails(
		&errdetails.ResourceInfo{ResourceType: "thing", ResourceName: "a/b"})
	if err != nil {
		return nil, err
	}
	return nil, told.Err()
}

func (s *service) wait(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	if ctx.Err() == context.Canceled {
		s.gone <- struct{}{}
	}
	return nil, status.FromContextError(ctx.Err()).Err()
}

func (s *service) isGone(context.Context, []byte) ([]byte, error) {
	select {
	case <-s.gone:
		return []byte("gone"), nil
	case <-time.After(10 * time.Second):
		return nil, status.Error(codes.Internal, "nobody has cancelled")
	}
}

func many(_ interface{}, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	stream.SendHeader(metadata.Pairs("x-early", "1"))
	var count, size int
	fmt.Sscanf(string(request), "%d,%d", &count, &size)
	for ; count > 0; count-- {
		message := make([]byte, size)
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

func sum(_ interface{}, stream grpc.ServerStream) error {
	total := 0
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		total += len(message)
	}
	answer := []byte(strconv.Itoa(total))
	return stream.SendMsg(&answer)
}

func talk(_ interface{}, stream grpc.ServerStream) error {
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		answer := append([]byte("re: "), message...)
		if err := stream.SendMsg(&answer); err != nil {
			return err
		}
	}
}

func serve() {
	made := &service{make(chan struct{}, 100)}
	server := grpc.NewServer(grpc.CustomCodec(raw{}), grpc.MaxConcurrentStreams(50))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "lab.Echo",
		HandlerType: (*interface{})(nil),
		Methods: []grpc.MethodDesc{
			unary("Echo", made.echo), unary("Fail", made.fail), unary("Wait", made.wait), unary("IsGone", made.isGone),
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Many", Handler: many, ServerStreams: true},
			{StreamName: "Sum", Handler: sum, ClientStreams: true},
			{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true},
		},
	}, made)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	must(server.Serve(listener))
}

// --- the caller

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(target string) {
	conn, err := grpc.Dial(target, grpc.WithInsecure(), grpc.WithBlock(), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	must(err)
	background, end := context.WithTimeout(context.Background(), 30*time.Second)
	defer end()
	ctx := metadata.AppendToOutgoingContext(background,
		"x-b3-traceid", "463ac35c9f6413ad48485a3953bb6124", "x-b3-spanid", "a2fb4a1d1a96d312", "x-b3-sampled", "1")
	ask := func(ctx context.Context, name string, request []byte, options ...grpc.CallOption) ([]byte, error) {
		var answer []byte
		err := conn.Invoke(ctx, "/lab.Echo/"+name, &request, &answer, options...)
		return answer, err
	}
	told := map[string]interface{}{}

	var trailer metadata.MD
	answer, err := ask(ctx, "Echo", make([]byte, 3*mib), grpc.Trailer(&trailer))
	must(err)
	told["echo"] = len(answer)
	told["traceparent"] = strings.Join(trailer.Get("x-seen-traceparent"), "|")
	answer, err = ask(ctx, "Echo", make([]byte, mib), grpc.UseCompressor(gzip.Name))
	must(err)
	told["gzip"] = len(answer)

	_, err = ask(ctx, "Fail", nil, grpc.Trailer(&trailer))
	failed := status.Convert(err)
	told["fail"] = []interface{}{failed.Code(), failed.Message(), hex.EncodeToString([]byte(strings.Join(trailer.Get("details-bin"), "|")))}
	for _, detail := range failed.Details() {
		told["detail"] = detail.(*errdetails.ResourceInfo).ResourceName
	}
	_, err = ask(ctx, "Nothing", nil)
	told["unknown"] = status.Code(err)

	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	_, err = ask(short, "Wait", nil)
	told["deadline"] = status.Code(err)
	stop()

	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(200*time.Millisecond, cancel)
	_, err = ask(cancelled, "Wait", nil)
	told["cancelled"] = status.Code(err)
	gone, err := ask(ctx, "IsGone", nil)
	must(err)
	told["gone"] = string(gone)

	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/lab.Echo/Many")
	must(err)
	request := []byte("100,10000")
	must(stream.SendMsg(&request))
	must(stream.CloseSend())
	header, err := stream.Header()
	must(err)
	told["early"] = strings.Join(header.Get("x-early"), "|")
	total := 0
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err == io.EOF {
			break
		} else {
			must(err)
		}
		total += len(message)
	}
	told["many"] = total

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/lab.Echo/Sum")
	must(err)
	for n := 0; n < 100; n++ {
		message := make([]byte, 10000)
		must(stream.SendMsg(&message))
	}
	must(stream.CloseSend())
	var summed []byte
	must(stream.RecvMsg(&summed))
	told["sum"] = string(summed)

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/lab.Echo/Talk")
	must(err)
	said := []string{}
	for n := 0; n < 3; n++ {
		message, answer := []byte(strconv.Itoa(n)), []byte(nil)
		must(stream.SendMsg(&message))
		must(stream.RecvMsg(&answer))
		said = append(said, string(answer))
	}
	must(stream.CloseSend())
	told["talk"] = said
	told["talk ends"] = stream.RecvMsg(&summed) == io.EOF

	checked, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	told["health"] = checked.GetStatus().String()
	if err != nil {
		told["health"] = status.Code(err).String()
	}

	finished := make(chan bool)
	for n := 0; n < 200; n++ { // more at once than the service takes on one connection
		go func(n int) {
			answer, err := ask(ctx, "Echo", []byte(strconv.Itoa(n)))
			finished <- err == nil && string(answer) == strconv.Itoa(n)
		}(n)
	}
	good := 0
	for n := 0; n < 200; n++ {
		if <-finished {
			good++
		}
	}
	told["at once"] = good
	must(json.NewEncoder(os.Stdout).Encode(told))
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	} else {
		call(os.Args[2])
	}
}
