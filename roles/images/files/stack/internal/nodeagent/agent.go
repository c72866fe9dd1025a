// Package nodeagent is what a kind node needs beyond upstream programs: the pod
// network between nodes and volumes of the default StorageClass. Every node runs
// it for itself; it keeps no state but what the API and the node hold.
//
// Invariant: each pass reads the whole desired state and repairs the difference,
// so a lost event or a crash costs a delay, never a wrong node.
package nodeagent

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"imooc.local/stack/internal/iptables"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// resync bounds how long a change made behind the agent's back (a deleted route,
// a flushed chain) stays unrepaired.
const resync = 30 * time.Second

// Main runs the half of the agent named by the first argument and returns the
// exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, args); err != nil {
		klog.ErrorS(err, "node-agent failed")
		return 1
	}
	return 0
}

func run(ctx context.Context, args []string) error {
	nodeName := os.Getenv("NODE_NAME")
	if len(args) != 1 || nodeName == "" {
		return fmt.Errorf("usage: NODE_NAME=<node> node-agent network|storage")
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("read the in-cluster configuration: %w", err)
	}
	// kind adds this address to its CNI manifest: the network cannot wait for
	// kube-proxy to make the Service address work.
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the API client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	switch args[0] {
	case "network":
		iptables.Select()
		return loop(ctx, factory, newNetwork(factory, nodeName))
	case "storage":
		return loop(ctx, factory, newStorage(factory, client, nodeName))
	default:
		return fmt.Errorf("unknown part %q: it is network or storage", args[0])
	}
}

// part is one half of the agent.
type part interface {
	// informers are the caches reconcile reads; a change in one is a reason for a pass.
	informers() []cache.SharedIndexInformer
	// reconcile brings the node to what the caches say.
	reconcile(ctx context.Context) error
}

// loop reconciles once the caches are filled, after every change they see,
// and each resync period. A failed pass is tried again after a growing pause.
func loop(ctx context.Context, factory informers.SharedInformerFactory, running part) error {
	wake := make(chan struct{}, 1)
	notify := func() {
		select {
		case wake <- struct{}{}:
		default: // a pass is due already, and it will see this change too
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	}
	for _, informer := range running.informers() {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("stopped before the cache of %v was filled", kind)
		}
	}
	pause := time.Second
	for {
		wait := resync
		if err := running.reconcile(ctx); err != nil {
			klog.ErrorS(err, "Pass failed", "retryAfter", pause)
			wait, pause = pause, min(2*pause, resync)
		} else {
			pause = time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-wake:
			timer.Stop()
		}
	}
}
