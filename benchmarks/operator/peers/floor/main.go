// The floor: what the API server takes by itself. Each new ImoocPod gets its pods and one status
// patch, over 64 connections; there is no cache, no queue, no safety, and nothing is repaired.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const connections = 64

type imoocPod struct {
	Metadata struct {
		Name, Namespace, UID string
		Generation           int
	}
	Spec struct{ Replicas int }
}

type event struct {
	Type   string
	Object imoocPod
}

type podTemplate struct {
	Metadata struct{ Annotations json.RawMessage }
	Spec     json.RawMessage
}

type server struct {
	url, token string
	client     *http.Client
	template   podTemplate
}

func main() {
	url := flag.String("server", "", "URL of the API server")
	token := flag.String("token", "", "bearer token")
	authority := flag.String("certificate-authority", "", "file with the API server's authority")
	template := flag.String("pod-template", "", "file with annotations and spec of the pods")
	http2 := flag.Bool("http2", false, "one HTTP/2 connection instead of 64 of HTTP/1.1")
	flag.Parse()

	pem, err := os.ReadFile(*authority)
	if err != nil {
		log.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!*http2)
	protocols.SetHTTP2(*http2)
	s := &server{url: *url, token: *token, client: &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: authorities},
		MaxIdleConnsPerHost: connections + 1,
		Protocols:           protocols,
		DisableCompression:  true,
	}}}
	content, err := os.ReadFile(*template)
	if err != nil {
		log.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal(compact.Bytes(), &s.template); err != nil {
		log.Fatal(err)
	}

	work := make(chan imoocPod, 10_000)
	for range connections {
		go func() {
			for cr := range work {
				s.serve(cr)
			}
		}()
	}
	s.watch(work)
}

// watch hands on every ImoocPod that is there or comes; it asks again when the API server ends the
// watch, as it does when a type is new.
func (s *server) watch(work chan<- imoocPod) {
	seen := map[string]bool{}
	for {
		answer := s.request(http.MethodGet, "/apis/k8s.imooc.com/v1alpha1/imoocpods?watch=true", "", nil)
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				log.Fatal(err)
			}
			if e.Type == "ADDED" && !seen[e.Object.Metadata.UID] {
				seen[e.Object.Metadata.UID] = true
				work <- e.Object
			}
		}
	}
}

// serve creates the pods and then writes the status.
func (s *server) serve(cr imoocPod) {
	meta := cr.Metadata
	names := make([]string, cr.Spec.Replicas)
	for i := range names {
		names[i] = meta.Name + "-pod-" + strconv.FormatUint(rand.Uint64()>>24, 36)
		body := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":%q,`+
			`"labels":{"app":%q},"annotations":%s,"ownerReferences":[{"apiVersion":"k8s.imooc.com/v1alpha1",`+
			`"kind":"ImoocPod","name":%q,"uid":%q,"controller":true,"blockOwnerDeletion":true}]},"spec":%s}`,
			names[i], meta.Namespace, meta.Name, s.template.Metadata.Annotations, meta.Name, meta.UID, s.template.Spec)
		s.send(http.MethodPost, "/api/v1/namespaces/"+meta.Namespace+"/pods", "application/json", body)
	}
	body := fmt.Appendf(nil, `{"status":{"replicas":%d,"observedGeneration":%d,"podNames":["%s"]}}`,
		len(names), meta.Generation, strings.Join(names, `","`))
	path := "/apis/k8s.imooc.com/v1alpha1/namespaces/" + meta.Namespace + "/imoocpods/" + meta.Name + "/status"
	s.send(http.MethodPatch, path, "application/merge-patch+json", body)
}

// send makes a request whose answer is read, so that its connection serves again, and not used.
func (s *server) send(method, path, contentType string, body []byte) {
	answer := s.request(method, path, contentType, body)
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
}

func (s *server) request(method, path, contentType string, body []byte) *http.Response {
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", contentType)
	answer, err := s.client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(answer.Body)
		log.Fatalf("%s %s: %s %s", method, path, answer.Status, text)
	}
	return answer
}
